SELECT DISTINCT l.session
FROM text_index i
JOIN session_content l ON l.content = i.rowid
WHERE i.text_index MATCH ?
