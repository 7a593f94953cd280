SELECT trace_id, session_id, said_ns FROM trace WHERE project = ? AND trace_id IN (/*keys*/)
