"""Pages of any period that a query can name."""

from __future__ import annotations

import pytest

from tests.fakes import plays
from tests.server.running import RunningBox
from tests.server.views.conftest import html, page, send

PATHS = ("/costs", "/costs?by=day", "/errors", "/tools", "/models")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "period",
    [
        "since=1h",
        "since=today",
        "since=30d",
        "since=1970-01-01",
        "since=0001-01-01",
        "since=2100-01-01",
        "until=1990-01-01",
        "until=9999-12-31",
        "since=2026-01-02&until=2026-01-01",
        "since=999999w",
    ],
)
def test_there_is_a_page_for_every_period(shop, path, period):
    """However long, empty or turned round it is, there are few columns, and all numbers are one."""
    address = f"{path}{'&' if '?' in path else '?'}{period}"
    answer = shop.box.get(address, accept="text/html")
    assert answer.status in {200, 400}  # the year 1 is none everywhere
    if answer.status == 200 and path.startswith("/costs"):
        html(shop.box, address)
        found = page(shop.box, address)
        assert len(found["columns"]) < 80
        assert sum(column["cost"] for column in found["columns"]) == pytest.approx(found["figures"]["cost"])


def test_a_session_of_a_clock_that_is_wrong_is_counted(tmp_path):
    """A start in 1970 or far in the future is in the sum of the columns too."""
    with RunningBox(tmp_path) as box:
        send(box, plays.refund(10**9, key="1970"))
        send(box, plays.refund(4_000_000_000 * 10**9, key="2096"))
        found = page(box, "/costs")
        html(box, "/costs")
    assert found["figures"]["sessions"] == 2
    assert found["figures"]["cost"] > 0
    assert sum(column["cost"] for column in found["columns"]) == pytest.approx(found["figures"]["cost"])
    assert len(found["columns"]) < 80
