SELECT max(id) FROM span
