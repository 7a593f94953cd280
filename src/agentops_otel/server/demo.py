"""Sessions to look at before one has any: real runs, recorded by tools/record_demo.py."""

from __future__ import annotations

import gzip
import re
from importlib.resources import files
from typing import Final

NEWEST_NS: Final = 1_700_000_000 * 10**9
"""The moment of loading, in the file: its sessions ended, or were last heard of, before it."""
# Nanoseconds since the epoch, also within the texts of heartbeats.
_TIME: Final = re.compile(rb'(?<=[" ])1[67]\d{17}(?=[" ])')


def recorded(now_ns: int) -> bytes:
    """The sessions as one object of OTLP JSON, moved in time as if the newest of them were running now."""
    by_ns = now_ns - NEWEST_NS
    whole = gzip.decompress(files(__package__).joinpath("demo.json.gz").read_bytes())
    return _TIME.sub(lambda found: b"%d" % (int(found[0]) + by_ns), whole)
