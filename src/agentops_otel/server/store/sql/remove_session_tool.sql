DELETE FROM session_tool WHERE session = ?
