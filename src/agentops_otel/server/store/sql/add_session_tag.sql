INSERT INTO session_tag (session, value) VALUES (?, ?)
