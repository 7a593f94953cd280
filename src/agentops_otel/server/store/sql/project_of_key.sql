SELECT k.hash, p.name, k.known_as
FROM api_key k
JOIN project p ON p.id = k.project
WHERE k.key_id = ? AND k.revoked_ns IS NULL
