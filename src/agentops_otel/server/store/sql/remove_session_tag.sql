DELETE FROM session_tag WHERE session = ?
