DELETE FROM session_error WHERE session = ?
