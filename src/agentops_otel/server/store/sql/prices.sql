SELECT provider, model, input, output, cache_read, cache_write, set_ns FROM price ORDER BY model, provider
