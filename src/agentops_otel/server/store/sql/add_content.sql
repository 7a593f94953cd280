INSERT INTO content (project, digest, kind, data) VALUES (?, ?, ?, ?)
