SELECT id FROM content WHERE digest = ? AND project = ?
