SELECT s.id, s.session_id
FROM session_tool u
JOIN session s ON s.id = u.session
WHERE u.tool = ? AND /*where*/
ORDER BY u.longest_ns DESC, s.id
LIMIT ?
