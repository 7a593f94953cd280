SELECT digest, id FROM content WHERE project = ? AND digest IN (/*keys*/)
