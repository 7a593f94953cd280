SELECT data, kind FROM content
WHERE id = ? AND NOT EXISTS (SELECT 1 FROM session_content l WHERE l.content = content.id)
