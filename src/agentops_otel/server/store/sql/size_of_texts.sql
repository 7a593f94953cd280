SELECT length(b.data) FROM span p JOIN body b ON b.span = p.id WHERE p.session = ?
