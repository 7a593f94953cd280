INSERT OR IGNORE INTO session (id, project, session_id, stale)
SELECT p.session, p.project, coalesce(p.session_id, r.session_id, p.trace_id), 1
FROM span p
LEFT JOIN trace r ON r.project = p.project AND r.trace_id = p.trace_id
WHERE p.session NOT IN (SELECT id FROM session)
GROUP BY p.session
