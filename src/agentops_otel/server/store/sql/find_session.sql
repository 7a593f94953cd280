SELECT id FROM session WHERE project = ? AND session_id = ?
