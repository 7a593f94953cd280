SELECT data FROM event WHERE session = ? ORDER BY time_ns, key
