-- The columns without a function are those of the last error: SQLite takes the row that has the max(), if it is alone.
SELECT
    e.fingerprint, e.type, e.message, e.kind, e.label, max(e.time_ns), e.span_id, s.session_id,
    count(*), count(*) FILTER (WHERE e.fate = 'fatal'),
    count(*) FILTER (WHERE e.fate = 'recovered'), count(*) FILTER (WHERE e.fate = 'open'), count(DISTINCT s.id)
FROM session_error e
JOIN session s ON s.id = e.session
WHERE /*where*/
GROUP BY e.fingerprint
ORDER BY max(e.time_ns) DESC, e.fingerprint
