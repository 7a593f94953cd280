"""All transports."""

from __future__ import annotations

import sys


def test_nothing_heavy_is_imported_early() -> None:
    """Making a transport imports neither what speaks HTTP nor grpc nor protobuf."""
    import subprocess

    code = (
        "import sys; from agentops_otel.config import Configuration;"
        "from agentops_otel.pipeline.transports import open_transport;"
        "[open_transport(Configuration(protocol=p)) for p in ('http/protobuf', 'grpc', 'console', 'file')];"
        "print([m for m in ('http.client', 'grpc', 'google.protobuf', 'psutil') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() in ("[]", "['psutil']")  # newer SDK releases import psutil themselves
