"""Sessions with settings of their own: what one customer asks is recorded, what another asks is not.

Run `python examples/per_session_configuration.py [FOLDER]`: each session goes to a file of its own there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import agentops_otel as agentops

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "sessions").resolve()


@agentops.tool
def find_order(order_id: int) -> str:
    """Look up an order."""
    return f"order {order_id}: one teapot"


def settings(customer: str, content: str) -> agentops.Configuration:
    """What differs for this customer; all else stays as `init()` was told."""
    return agentops.Configuration(
        endpoint=(folder / f"{customer}.jsonl").as_uri(), capture_content=content, default_tags=[customer]
    )


folder.mkdir(exist_ok=True)
agentops.init(auto_start_session=False, summary=False)
for customer, content in (("tea-shop", "full"), ("bank", "metadata")):
    with agentops.session(name=f"order of {customer}", config=settings(customer, content), wait=True):
        find_order(1842)
print("\n".join(str(path) for path in sorted(folder.glob("*.jsonl"))))
