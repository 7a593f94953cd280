"""OpenTelemetry wiring: providers, processors, exporters, resources and ids."""
