DELETE FROM event WHERE session NOT IN (SELECT id FROM session)
