SELECT fingerprint, count(*), total(cost), sum(duration_ns)
FROM (
    SELECT DISTINCT e.fingerprint, s.id, s.cost, s.duration_ns
    FROM session_error e
    JOIN session s ON s.id = e.session
    WHERE e.fate = 'fatal' AND s.state = 'fail' AND /*where*/
)
GROUP BY fingerprint
