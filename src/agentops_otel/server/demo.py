"""Sessions to look at before one has any: real runs, recorded by tools/record_demo.py."""

from __future__ import annotations

import gzip
import re
from importlib.resources import files
from typing import Final

from .otlp.file import read
from .store import Store

NEWEST_NS: Final = 1_700_000_000 * 10**9
"""The moment of loading, in the file: its sessions ended, or were last heard of, before it."""
# Nanoseconds since the epoch, also within the texts of heartbeats.
_TIME: Final = re.compile(rb'(?<=[" ])1[67]\d{17}(?=[" ])')


def recorded(now_ns: int) -> bytes:
    """The sessions as one object of OTLP JSON, moved in time as if the newest of them were running now."""
    by_ns = now_ns - NEWEST_NS
    whole = gzip.decompress(files(__package__).joinpath("demo.json.gz").read_bytes())
    return _TIME.sub(lambda found: b"%d" % (int(found[0]) + by_ns), whole)


def load(store: Store, now_ns: int) -> tuple[str, ...]:
    """Put the recorded sessions into a store; loading them again changes nothing.

    Returns:
        The ids of the sessions, the newest first; the second one is worth a look.

    Raises:
        StoreFull: there is no room; nothing is stored.
    """
    batch = read(recorded(now_ns))
    starts = {each.session_id: each.time_ns for each in batch.events if each.name == "start"}
    ids = tuple(sorted(starts, key=starts.__getitem__, reverse=True))
    if any(store.session(each) is None for each in ids):
        store.add(batch, now_ns)
    return ids
