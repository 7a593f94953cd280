"""Real servers for tests and for `make jaeger`: started on free loopback ports, ended by their process id.

`jaeger.py` and `collector.py` are plain Python on the standard library; `fixtures.py` makes pytest fixtures of them.
The programs are built by `tools/backends.py`.
"""
