"""The panel of a span, the replay, the tables: numbers that add up, calls that can be made again."""

from __future__ import annotations

import json
import shlex

import pytest

from agentops_otel import pricing, semconv
from agentops_otel.rows import Message, SpanBody, SpanRow
from agentops_otel.server.views import tables
from agentops_otel.server.views.panel import panel, prices
from agentops_otel.server.views.replay import replay
from agentops_otel.server.views.resend import as_curl, as_python
from agentops_otel.server.views.session import CUT
from agentops_otel.server.views.spoken import piece, signature, whole_text
from agentops_otel.usage import Usage
from tests.fakes import plays
from tests.server.played import NOW, SECOND, played


@pytest.fixture(scope="module")
def ci():
    return played(plays.ci_medic(NOW))


def call(provider="openai", model="gpt-4.1", usage=None, **body):
    usage = usage or Usage(1000, 100)
    cost = pricing.cost(provider, model, usage)
    return SpanRow(
        "1" * 32,
        "2" * 16,
        None,
        None,
        "llm",
        f"chat {model}",
        model,
        NOW,
        NOW + SECOND,
        operation="chat",
        provider=provider,
        model=model,
        request_model=model,
        usage=usage,
        cost=cost and cost.amount,
        body=SpanBody(**body),
    )


def test_a_cost_is_a_sum(ci):
    """Each class of tokens with its price; the lines add up to the cost exactly."""
    span = ci.calls[4].span
    found = panel(ci, span)
    assert [(price.tokens, price.count) for price in found.prices] == [
        ("input", 9377 - 6092),
        ("cache read", 6092),
        ("output", 742),
    ]
    assert sum(price.cost for price in found.prices) == pytest.approx(span.cost, rel=1e-12)
    assert [round(price.per_million, 2) for price in found.prices] == [3.0, 0.3, 15.0]
    assert found.prices[-1].note == "412 reasoning"
    assert found.turn == 3
    assert found.share_of_cost == pytest.approx(span.cost / ci.row.cost)


def test_prices_that_do_not_add_up_are_not_said():
    """As when a provider told the amount, or another price table did: the tokens stand without rates."""
    span = call()
    told = SpanRow(**{name: getattr(span, name) for name in span.__slots__} | {"cost": 0.5})
    assert [(price.count, price.per_million, price.cost) for price in prices(told)] == [
        (1000, None, None),
        (100, None, None),
    ]


def test_a_panel_tells_new_messages_from_those_sent_again(ci):
    """And what was said."""
    found = panel(ci, ci.calls[4].span)
    assert [len(found.sent_again), len(found.new)] == [4, 2]
    assert {said.role for said in found.new} == {"tool"}
    assert [each.kind for each in found.answer[0].pieces] == ["reasoning", "text", "call"]


def test_params_are_named_as_people_do():
    """Temperature and the like."""
    span = call(
        attributes={semconv.REQUEST_TEMPERATURE: 0.2, semconv.REQUEST_MAX_TOKENS: 16384, semconv.REQUEST_STREAM: True}
    )
    assert tables.params(span) == [("temperature", "0.2"), ("max tokens", "16,384"), ("stream", "yes")]


# ------------------------------------------------------------------------------------------------------------- again

SAID = (
    Message("user", ({"type": "text", "content": "It's 'quoted' $HOME `id`"},)),
    Message("assistant", ({"type": "tool_call", "id": "c1", "name": "look", "arguments": {"at": 1}},)),
    Message("tool", ({"type": "tool_call_response", "id": "c1", "response": "seen"},)),
)
TOOLS = [{"type": "function", "function": {"name": "look", "description": "Look", "parameters": {"type": "object"}}}]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_call_can_be_made_again(provider):
    """As curl, whose words the shell reads as they were, and as Python that compiles; no key is in either."""
    span = call(provider, input=SAID, system=({"type": "text", "content": "Be kind"},), tools=TOOLS)
    words = shlex.split(as_curl(span).replace("\\\n", ""))
    body = json.loads(words[words.index("--data-binary") + 1])
    assert body["model"] == "gpt-4.1"
    assert json.dumps(SAID[0].parts[0]["content"]) in json.dumps(body)
    assert len(body["tools"]) == 1
    assert ("system" in body) is (provider == "anthropic")
    python = as_python(span)
    compile(python, "call", "exec")
    assert f"from {provider} import" in python
    assert "_API_KEY" in as_curl(span)


def test_a_call_without_content_cannot_be_made_again():
    """There is nothing to send."""
    assert as_curl(call()) == as_python(call()) == ""


@pytest.mark.parametrize("provider", ["aws.bedrock", "cohere", "gcp.gemini"])
def test_a_call_of_another_api_is_not_offered(provider):
    """What would not work is not shown."""
    assert as_curl(call(provider, input=SAID)) == as_python(call(provider, input=SAID)) == ""


def test_another_host_is_called_where_it_is():
    """A server that speaks OpenAI's protocol."""
    span = call(input=SAID)
    local = SpanRow(**{name: getattr(span, name) for name in span.__slots__} | {"server": "localhost:11434"})
    assert "http://localhost:11434/v1/chat/completions" in as_curl(local)
    assert "OpenAI(base_url='http://localhost:11434/v1')" in as_python(local)


# ------------------------------------------------------------------------------------------------------------- texts


def test_a_long_text_is_cut_and_can_be_had_whole():
    """At a number of bytes, not within a character."""
    text = "é" * CUT
    shown = piece({"type": "text", "content": text}, "input.0.0")
    assert len(shown.text.encode()) <= CUT
    assert (shown.size, shown.whole) == (2 * CUT, "input.0.0")
    body = SpanBody(input=(Message("user", ({"type": "text", "content": text},)),))
    assert whole_text(body, shown.whole) == text


@pytest.mark.parametrize(
    "where", ["", "input", "input.9.0", "input.x.y", "attributes.no", "__class__", "output.0.0", "system.-1"]
)
def test_a_place_that_is_not_there_has_no_text(where):
    """Whatever stands in an address."""
    assert whole_text(SpanBody(), where) is None


def test_media_are_told_not_shown_as_text():
    """By type, size and digest; a picture that is really there can be shown."""
    reference = f"<image/png of 1,234 bytes, sha256 {'a' * 64}>"
    told = piece({"type": "blob", "mime_type": "image/png", "content": reference}, "x")
    assert (told.kind, told.mime, told.size, told.digest, told.text) == ("media", "image/png", 1234, "a" * 64, "")
    real = piece({"type": "blob", "mime_type": "image/png", "content": "aGVsbG8="}, "x")
    assert (real.data, real.size) == ("aGVsbG8=", 6)
    script = piece({"type": "blob", "mime_type": "image/svg+xml", "content": "aGVsbG8="}, "x")
    assert script.data == ""


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ('{"path": "a.py", "count": 50}', 'path="a.py", count=50'),
        ('{"code": "a\\nb", "lang": "py"}', 'lang="py"'),
        ('{"code": "a\\nb"}', "code=…"),
        ("not json", '"not json"'),
        ("{}", ""),
        ('["a", 1]', '"a", 1'),
    ],
)
def test_arguments_are_written_as_a_call(arguments, shown):
    """Short ones; a text of several lines stands below."""
    assert signature(arguments) == shown


# ------------------------------------------------------------------------------------------------------------- tables


def test_the_table_of_calls_ends_in_the_totals_of_the_session(ci):
    """Its lines add up to them."""
    found = tables.calls(ci)
    assert sum(call.span.usage.input_tokens for call in found.calls) == found.total.input_tokens
    assert sum(call.span.cost for call in found.calls) == pytest.approx(found.total.cost)
    assert [call.turn for call in found.calls] == [1, 1, 2, 2, 3, 4, 5]
    assert all(call.span.body is None for call in found.calls)


def test_errors_say_what_was_done_next():
    """In a sentence."""
    rows = tables.errors(played(plays.refused_refund(NOW))).rows
    assert [row.next for row in rows] == [
        "called refund again with the same arguments 1.40\u202fs later, which failed too",
        "called refund again with the same arguments 1.40\u202fs later, which failed too",
        "nothing followed",
    ]
    assert {row.signature for row in rows} == {"order=1907, amount=412.9"}


def test_the_raw_view_is_searched_and_paged():
    """In names and attributes."""
    run = played(plays.large(NOW, 500))
    first = tables.raw(run)
    total = len(run.tree.spans)
    assert (len(first.spans), first.total, first.next) == (tables.PAGE, total, tables.PAGE)
    last = tables.raw(run, offset=400)
    assert (len(last.spans), last.next) == (total - 400, None)
    found = tables.raw(run, query='shop.example/1/1" execute_tool')
    assert {raw.span.label for raw in found.spans} == {"fetch"}
    assert found.total == 1


def test_the_replay_shows_one_step(ci):
    """What was new in it, and what the session had cost by then."""
    found = replay(ci, at=4)
    shown = found.steps[found.position]
    assert (shown.number, shown.title, shown.added, shown.removed) == (4, "claude-sonnet-4-5, turn 2", 1, 0)
    assert (shown.context_tokens, shown.context_limit) == (6214, 200_000)
    assert [said.again for said in shown.context] == [True, True, True, False]
    assert [step.number for step in found.steps if step.context] == [4]
    assert found.steps[-1].cost == pytest.approx(ci.row.cost)
    assert found.steps[-1].input_tokens == ci.row.usage.input_tokens
    assert replay(ci).position == 6
    assert replay(ci, at=99).position == 6
