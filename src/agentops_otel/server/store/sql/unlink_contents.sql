DELETE FROM session_content WHERE session = ?
