SELECT p.name
FROM api_key k
JOIN project p ON p.id = k.project
WHERE k.known_as = ? AND k.revoked_ns IS NULL
