"""The box: an OTLP receiver, a store and a dashboard in one process. Needs the extra ``server``."""
