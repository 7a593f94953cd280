INSERT INTO session_agent (session, value) VALUES (?, ?)
