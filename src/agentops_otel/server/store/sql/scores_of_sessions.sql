SELECT s.id, c.session_id, c.trace_id, c.span_id, c.name, c.time_ns, c.value, c.label, c.comment
FROM json_each(?) j
JOIN session s ON s.id = j.value
JOIN score c ON c.project = s.project AND c.session_key = s.session_id
WHERE c.span_id IS NULL
ORDER BY c.time_ns, c.name, c.digest
