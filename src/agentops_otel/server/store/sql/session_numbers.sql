SELECT id FROM session ORDER BY id
