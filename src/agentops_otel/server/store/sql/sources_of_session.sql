SELECT DISTINCT source FROM span WHERE session = ?
