SELECT content FROM session_content WHERE session = ?
