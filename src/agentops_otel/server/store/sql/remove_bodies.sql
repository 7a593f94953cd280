DELETE FROM body WHERE span IN (SELECT p.id FROM span p WHERE p.session = ?)
