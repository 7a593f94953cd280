UPDATE session SET stale = 1 WHERE id = ?
