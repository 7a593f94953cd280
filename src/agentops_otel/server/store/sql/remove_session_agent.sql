DELETE FROM session_agent WHERE session = ?
