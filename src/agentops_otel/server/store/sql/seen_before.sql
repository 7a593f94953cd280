SELECT count(*)
FROM content c
JOIN session_content l ON l.content = c.id
JOIN session s ON s.id = l.session
WHERE c.digest = ? AND c.project = ? AND (s.started_ns, s.id) < (?, ?)
