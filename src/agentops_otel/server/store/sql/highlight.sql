SELECT rowid, highlight(text_index, 0, :open, :close)
FROM text_index
WHERE text_index MATCH :query AND rowid >= :first AND rowid <= :last
    AND +rowid IN (SELECT value FROM json_each(:contents))
