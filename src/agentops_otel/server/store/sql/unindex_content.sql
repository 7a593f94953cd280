INSERT INTO text_index (text_index, rowid, text)
SELECT 'delete', c.id, searchable(c.data, c.kind)
FROM content c
WHERE c.id = ? AND NOT EXISTS (SELECT 1 FROM session_content l WHERE l.content = c.id)
