DELETE FROM body WHERE span = ?
