INSERT INTO session (id, project, session_id) VALUES (?, ?, ?)
