SELECT session_id FROM session WHERE id = ?
