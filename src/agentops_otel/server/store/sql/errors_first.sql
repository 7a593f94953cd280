SELECT e.fingerprint, min(e.time_ns)
FROM session_error e
JOIN session s ON s.id = e.session
WHERE /*where*/
GROUP BY e.fingerprint
