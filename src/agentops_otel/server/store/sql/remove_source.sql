DELETE FROM source WHERE id = ? AND NOT EXISTS (SELECT 1 FROM span p WHERE p.source = source.id)
