INSERT INTO api_key (key_id, project, hash, created_ns, known_as) VALUES (?, ?, ?, ?, ?)
