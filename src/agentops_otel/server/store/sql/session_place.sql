SELECT s.started_ns, s.id FROM session s WHERE s.id = ?
