SELECT k.key_id, p.name, k.created_ns, k.revoked_ns
FROM api_key k
JOIN project p ON p.id = k.project
ORDER BY k.created_ns, k.key_id
