INSERT INTO content (id, project, digest, kind, data) VALUES (?, ?, ?, ?, ?)
