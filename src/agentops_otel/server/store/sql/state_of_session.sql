SELECT state FROM session WHERE id = ?
