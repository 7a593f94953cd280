"""Two sessions side by side."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agentops_otel.rows import Message, SpanBody, SpanRow
from agentops_otel.server.compare import Step, align, compare, compare_steps, pieces, steps, swapped

SECOND = 1_000_000_000


def tool(name, start=0, *, parent=None, failed=False, result="ok", **arguments):
    return SpanRow(
        trace_id="0" * 32,
        span_id=f"{name}{start}",
        parent_id=parent,
        session_id=None,
        kind="tool",
        name=name,
        label=name,
        start_ns=start * SECOND,
        end_ns=(start + 1) * SECOND,
        status="error" if failed else "ok",
        body=SpanBody(arguments=json.dumps(arguments), result=result),
    )


def llm(answer, start=0, *, parent=None, model="gpt-4.1", calls=()):
    return SpanRow(
        trace_id="0" * 32,
        span_id=f"llm{start}",
        parent_id=parent,
        session_id=None,
        kind="llm",
        name=f"chat {model}",
        label=model,
        start_ns=start * SECOND,
        end_ns=(start + 2) * SECOND,
        calls=calls,
        body=SpanBody(output=(Message("assistant", ({"type": "text", "content": answer},)),)),
    )


STEPS = st.lists(
    st.builds(
        Step,
        span_id=st.just("s"),
        kind=st.sampled_from(["llm", "tool"]),
        label=st.sampled_from("xyz"),
        start_ns=st.just(0),
        duration_ns=st.sampled_from([1, 2]),
        failed=st.booleans(),
        arguments=st.sampled_from([{}, {"n": "1"}, {"n": "2"}]),
        says=st.sampled_from(["", "yes", "no way"]),
    ),
    max_size=12,
)


@given(STEPS)
def test_a_session_is_like_itself(a):
    """Compared with itself, each step answers to itself and there is no difference."""
    found = compare_steps(a, a)
    assert [(pair.a, pair.b) for pair in found.pairs] == [(step, step) for step in a]
    assert found.first is None
    assert not any(pair.difference or pair.other_result for pair in found.pairs)


@given(STEPS, STEPS)
def test_swapping_the_sides_mirrors_the_comparison(a, b):
    """Nothing depends on which session is named first."""
    assert compare_steps(b, a) == swapped(compare_steps(a, b))


@given(STEPS, STEPS)
def test_every_step_is_there_once_and_in_order(a, b):
    """No step of either side is lost, doubled or moved."""
    pairs = align(a, b)
    assert [step for step, _ in pairs if step is not None] == a
    assert [step for _, step in pairs if step is not None] == b
    assert (None, None) not in pairs
    assert all(one.kind == other.kind for one, other in pairs if one and other)


@given(STEPS, STEPS)
def test_as_many_steps_of_one_name_stand_together_as_can(a, b):
    """The alignment is a longest common subsequence by kind and name."""
    names_a, names_b = [(step.kind, step.label) for step in a], [(step.kind, step.label) for step in b]
    longest = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, one in enumerate(names_a):
        for j, other in enumerate(names_b):
            longest[i + 1][j + 1] = longest[i][j] + 1 if one == other else max(longest[i][j + 1], longest[i + 1][j])
    together = sum(1 for one, other in align(a, b) if one and other and one.label == other.label)
    assert together == longest[-1][-1]


def test_long_sessions_are_aligned_window_by_window():
    """Two sessions of 1,500 steps, of which one lacks some and has others, meet again each time."""
    a = [Step(str(n), "tool", f"tool{n % 7}", 0, 1, False, arguments={"n": str(n)}) for n in range(1_500)]
    extra = Step("x", "tool", "extra", 0, 1, False)
    b = [step for n, step in enumerate(a) if n % 200 != 77]
    for place in range(1_000, 0, -250):
        b.insert(place, extra)
    found = compare_steps(a, b)
    assert sum(not pair.difference for pair in found.pairs) == 1_500 - 8
    assert compare_steps(b, a) == swapped(found)


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_pieces_are_the_text(a, b):
    """Nothing of a text is changed by marking it, and equal texts have no mark."""
    marked_a, marked_b = pieces(a, b)
    assert "".join(text for text, _ in marked_a) == a
    assert "".join(text for text, _ in marked_b) == b
    same = "".join(text for text, marked in marked_a if not marked)
    assert same == "".join(text for text, marked in marked_b if not marked)
    if a == b:
        assert not any(marked for _, marked in marked_a)
    assert pieces(b, a) == (marked_b, marked_a)


def test_two_texts_that_have_little_in_common_are_marked_as_a_whole():
    """A word here and there that both have is no common text; a common beginning and end is."""
    a, b = pieces("One pass proves little for a test that fails.", "Saw what a test beside it had stored.")
    assert a == (("One pass proves little for a test that fails", True), (".", False))
    assert b == (("Saw what a test beside it had stored", True), (".", False))
    assert pieces("run it twice now", "run it once now")[0] == (("run it ", False), ("twice", True), (" now", False))


def test_the_first_difference_is_in_the_arguments():
    """The same tool with other arguments is one row, in which only what differs is marked."""
    a = [llm("I look", 0, calls=("run",)), tool("run", 2, path="tests/upload", timeout=20)]
    b = [llm("Let me see", 0, calls=("run",)), tool("run", 2, path="tests/upload/test_resume.py", timeout=20)]
    found = compare(a, b)
    assert found.first == 1
    assert [pair.difference for pair in found.pairs] == ["", "arguments"]
    path, timeout = found.pairs[1].changes
    assert (path.name, path.a, path.b) == (
        "path",
        (('"tests/upload"', False),),
        (('"tests/upload', False), ("/test_resume.py", True), ('"', False)),
    )
    assert timeout.same


def test_words_before_a_call_are_no_difference_but_a_last_answer_is():
    """What was done decides whether steps are alike; a call without an act is what it says."""
    assert compare([llm("Hm", calls=("run",))], [llm("So", calls=("run",))]).pairs[0].difference == ""
    assert compare([llm("Hm", calls=("run",))], [llm("Hm", calls=("stop",))]).pairs[0].difference == "calls"
    assert compare([llm("Yes")], [llm("No")]).pairs[0].difference == "answer"
    assert compare([llm("Yes")], [llm("Yes", model="gpt-5")]).pairs[0].difference == "model"


def test_another_result_of_the_same_call_is_told():
    """The calls are alike, and the page can say that the world was not."""
    (pair,) = compare([tool("read", result="1")], [tool("read", result="2")]).pairs
    assert (pair.difference, pair.other_result) == ("", True)
    (pair,) = compare([tool("read")], [tool("read", failed=True)]).pairs
    assert pair.difference == "failure"


def test_a_tool_that_only_one_side_called_stands_alone_or_beside_another_tool():
    """Between steps that are alike, other tools stand side by side; what is left over stands alone."""
    a = [tool("read", 0), tool("test", 1), tool("write", 2)]
    b = [tool("read", 0), tool("lint", 1), tool("write", 2), tool("push", 3)]
    found = compare(a, b)
    assert [(pair.a and pair.a.label, pair.b and pair.b.label, pair.difference) for pair in found.pairs] == [
        ("read", "read", ""),
        ("test", "lint", "tool"),
        ("write", "write", ""),
        (None, "push", "only here"),
    ]
    assert found.pairs[-1].slower_ns is None


def test_only_leaves_are_steps():
    """A wrapper around an LLM call and an action around tools are no steps, in whatever order they arrive."""
    inner = llm("x", 1, parent="llm0")
    wrapper = llm("x", 0)
    action = replace(tool("work", 3), kind="action")
    inside = tool("inside", 4, parent="work3")
    alone = replace(tool("alone", 5), kind="action")
    found = steps([alone, inside, action, inner, wrapper])
    assert [step.span_id for step in found] == ["llm1", "inside4", "alone5"]


def test_the_same_call_again_is_counted():
    """The second call with equal arguments is turn 2; other arguments begin anew."""
    found = steps([tool("run", 0, n=1), tool("run", 1, n=2), tool("run", 2, n=1)])
    assert [step.turn for step in found] == [1, 1, 2]


def test_parents_in_a_circle_do_not_hang():
    """Hostile spans may be each other's parents."""
    assert steps([llm("x", 1, parent="llm2"), llm("x", 2, parent="llm1")]) == ()
