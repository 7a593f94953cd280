INSERT INTO session (project, session_id) VALUES (?, ?)
