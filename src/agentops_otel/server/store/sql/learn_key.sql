UPDATE api_key SET known_as = ? WHERE key_id = ? AND known_as IS NULL
