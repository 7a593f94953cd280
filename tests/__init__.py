"""The tests; the folders mirror src/agentops_otel."""
