"""The pytest plugin: the fixture `agentops_session`.

It lies outside of the package, because pytest loads it in every project where the package is installed, used or not,
and importing the package takes a fifth of a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from agentops_otel.testing import SpanCapture


@pytest.fixture
def agentops_session() -> Iterator[SpanCapture]:
    """A session for the length of a test; the value is the `SpanCapture` that its spans go to.

    The session ends as ``Success`` unless the test ended it. Nothing is sent or written anywhere.
    """
    from agentops_otel.testing import captured_session

    with captured_session() as capture:
        yield capture
