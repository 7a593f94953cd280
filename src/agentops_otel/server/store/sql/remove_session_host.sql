DELETE FROM session_host WHERE session = ?
