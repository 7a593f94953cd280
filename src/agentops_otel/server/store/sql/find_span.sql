SELECT id, session, size, digest, end_ns, replayed,
    EXISTS (SELECT 1 FROM body b WHERE b.span = span.id)
FROM span
WHERE trace_id = ? AND span_id = ? AND project = ?
