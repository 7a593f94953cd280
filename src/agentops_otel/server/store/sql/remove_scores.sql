DELETE FROM score WHERE (project, session_key) IN (SELECT s.project, s.session_id FROM session s WHERE s.id = ?)
