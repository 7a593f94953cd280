SELECT data FROM content WHERE digest = ? AND project = ?
