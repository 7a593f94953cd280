DELETE FROM trace
WHERE project = ? AND trace_id = ?
    AND NOT EXISTS (SELECT 1 FROM span p WHERE p.trace_id = trace.trace_id AND p.project = trace.project)
