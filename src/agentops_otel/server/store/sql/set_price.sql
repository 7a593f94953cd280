INSERT OR REPLACE INTO price (provider, model, input, output, cache_read, cache_write, set_ns) VALUES (?, ?, ?, ?, ?, ?, ?)
