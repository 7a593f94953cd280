SELECT DISTINCT project, trace_id FROM span WHERE session = ?
