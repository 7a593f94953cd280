DELETE FROM session_text WHERE session = ?
