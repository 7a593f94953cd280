SELECT j.value, count(*), max(s.last_ns), t.sdks
FROM session s
JOIN session_text t ON t.session = s.id
JOIN json_each(t.processes) j
WHERE t.processes <> '' AND /*where*/
GROUP BY j.value
ORDER BY max(s.last_ns) DESC, j.value
LIMIT ?
