SELECT max(id) FROM content
