SELECT session_id, said_ns FROM trace WHERE project = ? AND trace_id = ?
