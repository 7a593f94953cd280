UPDATE span SET cost = ?, cost_source = ?, price_table = ? WHERE id = ?
