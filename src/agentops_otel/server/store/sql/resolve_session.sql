SELECT s.id, s.project FROM session s
WHERE s.project IN (SELECT id FROM project WHERE :project IS NULL OR name = :project) AND s.session_id = :key
UNION ALL
SELECT s.id, s.project FROM trace r
JOIN session s ON s.project = r.project AND s.session_id = coalesce(r.session_id, r.trace_id)
WHERE r.project IN (SELECT id FROM project WHERE :project IS NULL OR name = :project) AND r.trace_id = :key
LIMIT 1
