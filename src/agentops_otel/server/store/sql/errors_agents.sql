SELECT DISTINCT e.fingerprint, e.agent
FROM session_error e
JOIN session s ON s.id = e.session
WHERE e.agent <> '' AND /*where*/
ORDER BY e.agent
