SELECT id FROM project WHERE name = ?
