SELECT session_id, id FROM session WHERE project = ? AND session_id IN (/*keys*/)
