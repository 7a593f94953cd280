SELECT fingerprint, time_ns, fate
FROM (
    SELECT
        e.fingerprint, e.time_ns, e.fate,
        row_number() OVER (PARTITION BY e.fingerprint ORDER BY e.time_ns DESC) AS place
    FROM session_error e
    JOIN session s ON s.id = e.session
    WHERE /*where*/
)
WHERE place <= 1000
ORDER BY time_ns
