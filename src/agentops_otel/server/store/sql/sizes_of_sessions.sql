SELECT s.id, s.project, s.session_id, s.summarized_ns,
    (SELECT count(*) FROM span p WHERE p.session = s.id) AS spans,
    EXISTS (SELECT 1 FROM event e WHERE e.session = s.id) AS has_events,
    EXISTS (SELECT 1 FROM score c WHERE c.project = s.project AND c.session_key = s.session_id) AS has_scores
FROM session s
WHERE s.id IN (/*keys*/)
