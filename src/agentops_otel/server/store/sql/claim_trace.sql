INSERT INTO trace (project, trace_id, session_id, said_ns) VALUES (?, ?, ?, ?)
ON CONFLICT (project, trace_id) DO UPDATE SET session_id = excluded.session_id, said_ns = excluded.said_ns
