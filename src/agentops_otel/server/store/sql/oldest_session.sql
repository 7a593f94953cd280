SELECT s.id, s.last_ns, s.spans FROM session s ORDER BY s.last_ns, s.id LIMIT 1
