DELETE FROM event WHERE session = ?
