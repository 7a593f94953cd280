SELECT id FROM source WHERE digest = ?
