SELECT s.id FROM session s
WHERE s.project IN (SELECT id FROM project) AND s.session_id >= :text AND s.session_id < :after
UNION
SELECT s.id FROM trace r
JOIN session s ON s.project = r.project AND s.session_id = coalesce(r.session_id, r.trace_id)
WHERE r.project IN (SELECT id FROM project) AND r.trace_id >= :text AND r.trace_id < :after
UNION
SELECT s.id FROM session s WHERE instr(lower(s.name), lower(:text))
