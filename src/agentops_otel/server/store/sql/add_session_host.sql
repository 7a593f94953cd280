INSERT INTO session_host (session, value) VALUES (?, ?)
