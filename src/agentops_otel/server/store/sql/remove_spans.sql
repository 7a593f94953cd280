DELETE FROM span WHERE session = ?
