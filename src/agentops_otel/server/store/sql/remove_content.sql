DELETE FROM content WHERE id = ?
