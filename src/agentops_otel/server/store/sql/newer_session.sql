SELECT s.session_id
FROM session s
WHERE (s.started_ns, s.id) > (?, ?) AND /*where*/
ORDER BY s.started_ns, s.id
LIMIT 1
