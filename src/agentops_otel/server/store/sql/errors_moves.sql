SELECT
    e.fingerprint, e.next, e.next_label, count(*), count(*) FILTER (WHERE e.next_worked),
    ifnull(avg(e.next_after_ns), 0)
FROM session_error e
JOIN session s ON s.id = e.session
WHERE /*where*/
GROUP BY e.fingerprint, e.next, e.next_label
ORDER BY count(*) DESC, e.next, e.next_label
