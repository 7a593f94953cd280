UPDATE OR IGNORE score SET session_key = ? WHERE project = ? AND trace_id = ? AND session_id IS NULL
