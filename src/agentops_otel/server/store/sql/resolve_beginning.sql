SELECT id, project FROM (
    SELECT s.id, s.project, s.started_ns FROM session s
    WHERE s.project IN (SELECT id FROM project WHERE :project IS NULL OR name = :project)
        AND s.session_id >= :key AND s.session_id < :after
    UNION
    SELECT s.id, s.project, s.started_ns FROM trace r
    JOIN session s ON s.project = r.project AND s.session_id = coalesce(r.session_id, r.trace_id)
    WHERE r.project IN (SELECT id FROM project WHERE :project IS NULL OR name = :project)
        AND r.trace_id >= :key AND r.trace_id < :after
)
ORDER BY started_ns DESC, id DESC
LIMIT 1
