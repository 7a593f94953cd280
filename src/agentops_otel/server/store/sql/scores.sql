SELECT session_id, trace_id, span_id, name, time_ns, value, label, comment
FROM score
WHERE project = ? AND session_key = ?
ORDER BY time_ns, name, digest
