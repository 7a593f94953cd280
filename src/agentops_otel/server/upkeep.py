"""What a box does by itself while it runs: sessions whose heartbeat stops, what is too old, live pages, free memory."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.concurrency import run_in_threadpool

from ..log import logger
from .grpc import GrpcReceiver
from .live import Live
from .page import Box
from .store import Store

_REFRESH: Final = 2.0  # seconds
_RETAIN: Final = 30.0  # seconds between two looks
_TRIM: Final = 10.0  # seconds between two times that memory is given back; the first comes after a second
_STEP: Final = 0.05  # seconds for others between two steps of a removal


@asynccontextmanager
async def upkeep(store: Store, live: Live, box: Box, grpc: GrpcReceiver | None) -> AsyncIterator[None]:
    """Do it for as long as this context lasts."""
    work = [live.run(), _refresh(store, live), _retain(store, box), _trim()]
    if grpc is not None:
        work.append(grpc.run())
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _refresh(store: Store, live: Live) -> None:
    while True:
        await asyncio.sleep(_REFRESH)
        with _reported("sessions cannot be brought up to date"):
            live.changed(await run_in_threadpool(store.refresh, time.time_ns()))


async def _retain(store: Store, box: Box) -> None:
    if box.retain_ns is None and box.retain_bytes is None:
        return
    while True:
        removed = 0
        with _reported("old sessions cannot be removed"):
            removed = await run_in_threadpool(
                lambda: store.retain(time.time_ns(), max_age_ns=box.retain_ns, max_bytes=box.retain_bytes)
            )
        await asyncio.sleep(_STEP if removed else _RETAIN)


async def _trim() -> None:
    """Give the memory back that the start and large requests have left free inside of the process.

    The C library of most Linux systems keeps it otherwise: https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return
    await asyncio.sleep(1)
    while True:
        await run_in_threadpool(trim, 0)
        await asyncio.sleep(_TRIM)


@contextlib.contextmanager
def _reported(what: str) -> Iterator[None]:
    """A store that fails now may work the next time."""
    try:
        yield
    except Exception as error:
        logger.warning("%s: %s", what, str(error)[:300])
