SELECT id FROM session WHERE stale
