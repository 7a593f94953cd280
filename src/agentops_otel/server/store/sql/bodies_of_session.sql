SELECT p.start_ns, p.span_id, p.trace_id, p.project, b.data
FROM span p
JOIN body b ON b.span = p.id
WHERE p.session = ?
