DELETE FROM session_model WHERE session = ?
