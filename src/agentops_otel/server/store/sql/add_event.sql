INSERT INTO event (session, key, time_ns, data) VALUES (?, ?, ?, ?)
ON CONFLICT (session, key) DO UPDATE SET time_ns = excluded.time_ns, data = excluded.data
WHERE (excluded.time_ns, excluded.data) > (time_ns, data)
