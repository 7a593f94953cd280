UPDATE span SET session = ? WHERE trace_id = ? AND project = ? AND session_id IS NULL
