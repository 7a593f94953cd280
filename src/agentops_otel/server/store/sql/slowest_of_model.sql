SELECT s.id, s.session_id
FROM session_model m
JOIN session s ON s.id = m.session
WHERE m.model = ? AND /*where*/
GROUP BY s.id
ORDER BY max(m.longest_ns) DESC, s.id
LIMIT ?
