INSERT INTO body (span, data) VALUES (?, ?)
ON CONFLICT (span) DO UPDATE SET data = excluded.data
