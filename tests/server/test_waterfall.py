"""The waterfall: the tree with its bars, own code as rows, the critical path, what is folded in a large session."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops_otel.rows import SpanRow
from agentops_otel.server.svg.shape import minimap_path
from agentops_otel.server.views.critical import critical_path
from agentops_otel.server.views.minimap import minimap
from agentops_otel.server.views.ribbon import ribbon
from agentops_otel.server.views.run import Run
from agentops_otel.server.views.waterfall import MOST, waterfall
from agentops_otel.server.views.why import why
from agentops_otel.strip import union
from agentops_otel.summarize import summarize
from tests.fakes import plays
from tests.fakes.sessions import Run as Play
from tests.server.played import NOW, SECOND, hostile, played


def drawn(*spans):
    return Run(summarize("s", spans, [], now_ns=NOW), spans, NOW)


def span(number, parent, start, end, kind="tool", **more):
    above = None if parent is None else f"{parent:016x}"
    return SpanRow("1" * 32, f"{number:016x}", above, None, kind, kind, kind, NOW + start, NOW + end, **more)


@pytest.fixture(scope="module")
def ci():
    return waterfall(played(plays.ci_medic(NOW)))


def test_rows_stand_below_their_parents_by_start(ci):
    """With their level; a gap is a row, the running root is there before it has ended."""
    assert [(row.level, row.title) for row in ci.rows][:6] == [
        (1, "ci-medic"),
        (2, plays.CLAUDE),
        (2, "search_code"),
        (2, "log-reader"),
        (3, plays.MINI),
        (3, "fetch_ci_log"),
    ]
    assert [row.title for row in ci.rows if row.kind == "gap"] == ["own code, no span"]
    root = ci.rows[0]
    assert (root.kind, root.end_ns, root.parent, root.leaf) == ("session", None, None, False)


def test_the_scale_is_five_round_divisions(ci):
    """It holds the whole run, and the blue edge."""
    assert ci.scale_ns == 100 * SECOND
    assert ci.now_ns == round(94.2 * SECOND)


def test_leaves_are_ink_and_containers_brackets(ci):
    """A call is pale until its first token; a container has the sum of what is inside."""
    rows = {row.title: row for row in reversed(ci.rows)}
    assert rows[plays.CLAUDE].leaf
    assert rows[plays.CLAUDE].first_token_ns == round(1.12 * SECOND)
    assert not rows["log-reader"].leaf
    assert rows["log-reader"].numbers.sums
    assert rows["log-reader"].descendants == rows["log-reader"].children == 5
    assert rows["search_code"].detail == 'query="test_checkout_retry"'


def test_the_critical_path_leads_back_from_the_end(ci):
    """Of calls at once the one that ended last; what ran beside it is not on it."""
    fetched = {row.detail: bool(row.critical) for row in ci.rows if row.title == "fetch_ci_log"}
    assert fetched == {"run=88121": False, "run=88147": True, "run=88163": False}
    assert not next(row for row in ci.rows if row.title == "search_code").critical
    assert all(not row.critical for row in ci.rows if not row.leaf)


@settings(max_examples=100, deadline=None)
@given(hostile())
def test_the_critical_path_covers_no_instant_twice(spans):
    """Whatever tree was sent; each row stands once."""
    run = Run(summarize("s", spans, [], now_ns=NOW + 70), spans, NOW + 70)
    intervals = [interval for parts in critical_path(run).values() for interval in parts]
    assert sum(end - start for start, end in intervals) == sum(end - start for start, end in union(intervals))
    ids = [row.id for row in waterfall(run).rows]
    assert len(ids) == len(set(ids))
    assert {run.id(one) for one in run.tree.spans} <= set(ids)


def test_spans_without_their_parent_stand_under_a_placeholder():
    """It is as long as they are."""
    rows = waterfall(drawn(span(1, None, 0, 9), span(3, 2, 4, 6), span(4, 2, 5, 8))).rows
    assert [(row.kind, row.level, row.children) for row in rows][1:] == [
        ("placeholder", 1, 2),
        ("tool", 2, 0),
        ("tool", 2, 0),
    ]
    assert (rows[1].start_ns, rows[1].end_ns) == (4, 8)


def test_a_large_tree_is_folded():
    """By whole levels; a row that was asked for is seen, and the inside of a folded row comes when it is wanted."""
    run = played(plays.large(NOW, MOST + 500))
    folded = waterfall(run)
    assert folded.collapsed
    assert len(folded.rows) < 200
    agent = next(row for row in folded.rows if row.collapsed)
    inside = waterfall(run, under=agent.id)
    assert len(inside.rows) == agent.descendants
    assert {row.level for row in inside.rows} == {3}
    seen = waterfall(run, selected=inside.rows[-1].id)
    assert inside.rows[-1].id in {row.id for row in seen.rows}


def test_a_small_tree_is_whole():
    """Every span has its row."""
    run = played(plays.large(NOW, 400))
    assert [row.collapsed for row in waterfall(run).rows] == [False] * 400


# ------------------------------------------------------------------------------------------------------------- ribbon


def test_the_ribbon_shares_time_and_money():
    """Each instant has one kind; each band begins where the one before ends, and together they are the cost."""
    run = played(plays.ci_medic(NOW))
    found = ribbon(run)
    assert sum(end - start for _, start, end in found.time) == found.duration_ns == round(94.2 * SECOND)
    assert len(found.money) == 7
    spent = 0.0
    for band in found.money:
        assert band.before == pytest.approx(spent)
        spent += band.cost
    assert spent == pytest.approx(found.cost) == pytest.approx(run.row.cost)
    assert (found.slowest.title, found.slowest.note) == ("run_tests", "failed")
    assert found.dearest.title == "gpt-4.1-mini turn 2"
    assert [mention.title for mention in found.open] == ["run_tests"]
    assert [fate for _, fate, _ in found.errors] == ["recovered"]


def test_the_ribbon_holds_calls_that_came_after_its_row_was_read():
    """While spans arrive, the session's row may be older than they are; no band leaves the picture."""
    run = played(plays.ci_medic(NOW))
    run.row = replace(run.row, cost=run.row.cost / 2)
    found = ribbon(run)
    assert all(band.before + band.cost <= found.cost for band in found.money)


def test_calls_that_are_too_small_to_see_are_one_band_a_model():
    """Their money and time are those of all of them."""
    run = played(plays.large(NOW, 2000))
    found = ribbon(run)
    assert len(found.money) < 10
    assert sum(band.calls for band in found.money) == run.row.llm_calls
    assert sum(band.cost for band in found.money) == pytest.approx(run.row.cost)
    assert any(band.title.endswith(f"calls of {plays.MINI}") for band in found.money)


def test_the_ribbon_of_a_failed_session_says_what_came_after():
    """Shares of time and money after the first error."""
    time, money = ribbon(played(plays.refused_refund(NOW))).after_error
    assert 0.4 < time < 0.7
    assert 0.4 < money < 0.7


def test_thousands_of_errors_are_some_ticks():
    """As many as can be told apart."""
    spans = [span(1, None, 0, 9000, "agent")]
    spans += [span(n, 1, n, n + 1, status="error", error_type=f"E{n}") for n in range(2, 3002)]
    found = ribbon(drawn(*spans))
    assert 100 < len(found.errors) <= 500
    assert {fate for _, fate, _ in found.errors} == {"recovered"}


# ---------------------------------------------------------------------------------------------------- why it failed


def test_a_failure_is_told_in_four_lines():
    """The call, the raise, the repeats, the end."""
    found = why(played(plays.refused_refund(NOW)))
    lines = ["".join(text for text, _ in reason.sentence) for reason in found.reasons]
    assert lines == [
        "gpt-4.1, turn 2 asked for refund(order=1907, amount=412.9)",
        "refund raised PermissionError at agent.py:41",
        "The model made the same call with the same arguments twice more",
        'The program ended the session: Fail, "PermissionError: refund of 412.90 EUR needs approval"',
    ]
    assert sum(step is not None for reason in found.reasons for _, step in reason.sentence) == 4


def test_a_model_that_fails_is_told_too():
    """There is no call that asked for it."""
    play = Play("x", NOW)
    play.ask("Hello")
    play.llm("gpt-4.1", 1, error=("RateLimitError", "429 from the provider"))
    found = why(played(play.end("Fail", "RateLimitError: 429 from the provider")))
    assert ["".join(text for text, _ in reason.sentence) for reason in found.reasons] == [
        "gpt-4.1, turn 1 raised RateLimitError at agent.py:41: 429 from the provider",
        'The program ended the session: Fail, "RateLimitError: 429 from the provider"',
    ]


@pytest.mark.parametrize("play", [plays.refund, plays.killed, plays.unpriced])
def test_what_did_not_fail_has_no_why(play):
    """Recovered errors are no reason."""
    assert why(played(play(NOW))) is None


# ------------------------------------------------------------------------------------------------------------- minimap


def test_the_minimap_stands_as_the_tree_does(ci):
    """One row for each leaf while there is room, calls and tools apart; the error is a tick where it happened."""
    leaves = [row for row in ci.rows if row.leaf and row.kind != "gap"]
    assert [bar.kind for bar in sorted(ci.minimap.bars, key=lambda bar: bar.row)] == [row.kind for row in leaves]
    assert ci.minimap.rows == len(leaves)
    failed = next(row for row in leaves if row.fate)
    assert ci.minimap.errors == ((failed.end_ns * ci.minimap.cells // ci.scale_ns, "recovered"),)


def test_a_minimap_is_small_however_large_the_session_is():
    """Ten thousand spans at once are some bars, since nobody could tell them apart."""
    work = [("llm", number % 97 * SECOND, (number % 97 + 1) * SECOND) for number in range(10_000)]
    found = minimap(work, [(SECOND, "fatal")] * 10_000, 100 * SECOND)
    assert len(found.bars) <= found.rows <= 24
    assert found.errors == ((4, "fatal"),)
    assert len(minimap_path(found, "llm")) < 1_000


@given(
    st.lists(
        st.tuples(st.sampled_from(["llm", "tool", "other"]), st.integers(0, 10**6), st.integers(0, 10**6)).map(
            lambda each: (each[0], min(each[1:]), max(each[1:]))
        ),
        max_size=60,
    ),
    st.integers(1, 10**6),
)
@settings(max_examples=150)
def test_a_minimap_hides_no_work(work, more):
    """Each span is inside of a bar of its kind, and no bar leaves the picture or shares its cells with another."""
    scale = max([stop for *_, stop in work], default=0) + more
    found = minimap(work, [], scale)
    for index, (kind, start, stop) in enumerate(work):
        row = index if len(work) <= found.rows else index * found.rows // len(work)
        first, last = start * found.cells / scale, stop * found.cells / scale
        assert any(bar.start <= first and last <= bar.stop for bar in found.bars if (bar.kind, bar.row) == (kind, row))
    cells = [(bar.kind, bar.row, cell) for bar in found.bars for cell in range(bar.start, bar.stop)]
    assert len(cells) == len(set(cells))
    assert all(0 <= bar.start < bar.stop <= found.cells and 0 <= bar.row < found.rows for bar in found.bars)


def test_the_inside_of_a_row_has_no_minimap():
    """It is one of the whole session, which the page has already."""
    run = played(plays.ci_medic(NOW))
    assert waterfall(run, under=waterfall(run).rows[0].id).minimap is None
