INSERT INTO text_index (rowid, text) VALUES (?, ?)
