SELECT s.project, s.session_id, s.summarized_ns,
    (SELECT count(*) FROM span p WHERE p.session = s.id) AS spans,
    EXISTS (SELECT 1 FROM event e WHERE e.session = s.id) AS has_events
FROM session s
WHERE s.id = ?
