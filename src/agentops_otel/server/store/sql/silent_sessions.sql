SELECT s.id FROM session s WHERE s.state = 'running' AND coalesce(s.heartbeat_ns, s.last_ns) <= ?
