SELECT name FROM project p
WHERE EXISTS (SELECT 1 FROM api_key k WHERE k.project = p.id) OR EXISTS (SELECT 1 FROM session s WHERE s.project = p.id)
ORDER BY name
