SELECT name FROM project WHERE id = ?
