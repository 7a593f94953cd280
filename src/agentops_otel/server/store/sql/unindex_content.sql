INSERT INTO text_index (text_index, rowid, text) VALUES ('delete', ?, ?)
