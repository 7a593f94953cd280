SELECT s.duration_ns
FROM session s
WHERE s.state <> 'running' AND /*where*/
ORDER BY s.duration_ns
LIMIT 1 OFFSET ?
