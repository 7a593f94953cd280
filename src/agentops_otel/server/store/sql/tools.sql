SELECT
    u.tool, sum(u.calls), sum(u.failed), sum(u.recovered), sum(u.duration_ns), group_concat(u.durations_ns),
    sum(u.repeated), count(*)
FROM session_tool u
JOIN session s ON s.id = u.session
WHERE /*where*/
GROUP BY u.tool
ORDER BY sum(u.calls) DESC, u.tool
