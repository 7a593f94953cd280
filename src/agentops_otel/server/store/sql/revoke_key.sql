UPDATE api_key SET revoked_ns = ? WHERE key_id = ? AND revoked_ns IS NULL
