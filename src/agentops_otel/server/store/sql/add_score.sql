INSERT INTO score (
    project, session_key, digest, session_id, trace_id, span_id, name, time_ns, value, label, comment
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
