"""Redaction: a finished span in, one without secrets out, and the user's hook has run."""

from __future__ import annotations

import base64
import json
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.status import Status, StatusCode

from agentops_otel import secrets, semconv
from agentops_otel import text as text_module
from agentops_otel.config import Configuration
from agentops_otel.context import Scope
from agentops_otel.redaction import REDACTION_FAILED, Redactor
from agentops_otel.secrets import REDACTED, learn
from tests.fakes.house import SESSION, House
from tests.fakes.objects import (
    TREES,
)
from tests.fakes.secrets import SECRETS
from tests.fakes.spans import CONTEXT, PARENT, RESOURCE, on_the_wire, span


def test_clean_span_is_the_same_object():
    """A span in which nothing has to change is handed on as it is."""
    clean = span(
        attributes={"gen_ai.input.messages": '[{"role":"user"}]', "tags": ("a", "b"), "n": 1, "f": 0.5, "b": True},
        events=(Event("exception", {"exception.message": "bad"}, 5),),
        links=(Link(PARENT, {"why": "because"}),),
        status=Status(StatusCode.ERROR, "bad"),
    )

    assert Redactor().clean(clean) is clean


def test_secrets_leave_every_part_of_a_span():
    """Name, attributes, lists, events, links and the status: what the encoder sends has the secret nowhere."""
    secret = SECRETS["openai"]
    dirty = span(
        name=f"call {secret}",
        attributes={
            "a": secret,
            "list": (secret, "x"),
            "password": "hunter2",
            "http.request.header.cookie": ("sid=1",),
        },
        events=(Event("exception", {"exception.message": secret, "exception.stacktrace": f"raise E('{secret}')"}, 5),),
        links=(Link(PARENT, {"why": secret}),),
        status=Status(StatusCode.ERROR, f"E: {secret}"),
    )
    clean = Redactor().clean(dirty)
    wire = encode_spans([clean]).SerializeToString()

    assert secret[8:].encode() not in wire
    assert b"hunter2" not in wire
    assert b"sid=1" not in wire
    assert clean.attributes["list"] == ("sk-…[redacted]", "x")
    assert clean.status.description == "E: sk-…[redacted]"
    assert dirty.attributes["a"] == secret


@pytest.mark.parametrize(
    ("given_values", "clean_values"),
    [
        (("stop", SECRETS["openai"]), ("stop", "sk-…[redacted]")),
        (("run", "--api-key", "hunter2", "-v"), ("run", "--api-key", REDACTED, "-v")),
        (("run", "--password=hunter2"), ("run", f"--password={REDACTED}")),
        (("--no-password", "-t", "x"), ("--no-password", "-t", "x")),
    ],
)
def test_lists_of_texts_are_searched_every_time(given_values, clean_values):
    """A list under a known name is looked at anew, and so is what stands behind an option of a command line."""
    redactor = Redactor()
    for values in (("stop",), ("hunter2",), given_values, given_values):
        clean = redactor.clean(span(attributes={"args": values}))
    assert clean.attributes["args"] == clean_values


@pytest.mark.parametrize("before", ["", "word ", "a=", "x" * 3000 + "\n"])
@pytest.mark.parametrize(
    ("half", "kept"),
    [
        ("npm_A1b2C3d4E5f6G7h8J9k0", ""),
        ("ghp_A1b2C3", ""),
        ("eyJhbGciOiJIUzI1NiJ9", ""),
        ("postgres://user:hunter2", "postgres://"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("sk-proj-AbCdEf0123456789", "sk-proj-…[redacted]"),
        ("risk_and_words", "risk_and_words"),
    ],
)
def test_half_of_a_key_is_not_left_where_the_sdk_cut(monkeypatch, before, half, kept):
    """A value exactly as long as the SDK lets it be; one that ends by itself stays."""
    text = before + half
    for longest, expected in ((len(text), before + kept), (len(text) + 1, None)):
        monkeypatch.setattr(text_module, "_longest", longest)
        redactor = Redactor()
        for _ in range(2):
            clean = redactor.clean(
                span(attributes={"a": text, "list": (text, "x")}, events=(Event("e", {"a": text}, 5),))
            )
            if expected is not None:
                assert (
                    clean.attributes["a"] == clean.events[0].attributes["a"] == clean.attributes["list"][0] == expected
                )
            elif "redacted" not in kept:
                assert clean.attributes["a"] == text


def test_secrets_leave_the_names_of_attributes():
    """Of spans, events and links, pictures too; a name that was clean is looked at again when a secret was learnt."""
    secret, learnt = SECRETS["openai"], "battery-staple-of-a-name-1"
    redactor = Redactor()
    picture = f"data:image/png;base64,{base64.b64encode(bytes(range(256))).decode()}"
    names = {f"quota.{secret}": 1, f"of {picture}": "x", f"a.{learnt}": "y", "password=abc123def": ("z",), "plain": 1}
    redactor.clean(span(attributes=names))
    learn(learnt)
    for _ in range(2):
        clean = redactor.clean(span(attributes=names, events=(Event("e", names, 5),), links=(Link(PARENT, names),)))
        wire = encode_spans([clean]).SerializeToString()
        assert not any(piece in wire for piece in (secret[8:].encode(), b"AAECAwQF", learnt.encode(), b"abc123def"))
        assert {**clean.attributes} == {**clean.events[0].attributes} == {**clean.links[0].attributes}
        assert clean.attributes["quota.sk-…[redacted]"] == 1
        assert clean.attributes["password=[redacted]"] == ("z",)
        assert len(clean.attributes) == len(names)


def test_a_changed_span_keeps_the_rest():
    """The copy has the same ids, times, kind, resource, scope and status code, and the counts of what was dropped."""
    provider = TracerProvider(resource=RESOURCE)
    with provider.get_tracer("tests", "1").start_as_current_span("chat") as started:
        started.set_attribute("a", SECRETS["openai"])
        for n in range(200):
            started.set_attribute(f"n{n}", n)
        started.set_attribute("b", SECRETS["openai"])
        started.add_event("e", {"x": 1})
    clean = Redactor().clean(started)

    assert clean is not started
    for part in ("name", "context", "parent", "resource", "kind", "start_time", "end_time", "instrumentation_scope"):
        assert getattr(clean, part) == getattr(started, part), part
    assert clean.status.status_code is StatusCode.UNSET
    assert clean.dropped_attributes == started.dropped_attributes == 74
    assert clean.attributes["b"] == "sk-…[redacted]"
    assert clean.events == tuple(started.events)


def test_a_lone_surrogate_does_not_lose_the_batch():
    """A surrogate in the name, an event, the status, a key or a value: every span of the batch is sent."""
    broken = span(
        name="\ud83d",
        attributes={"k\ud83d": "v\udfff", "list": ("\ud83d",)},
        events=(Event("e\ud83d", {"x": "\ud83d"}, 5),),
        status=Status(StatusCode.ERROR, "\ud83d"),
    )
    sent = on_the_wire(Redactor().clean(broken), Redactor().clean(span()))

    assert [each.name for each in sent] == ["\\ud83d", "chat gpt-4o"]
    assert sent[0].attributes[0].key == "k\\ud83d" or sent[0].attributes[1].key == "k\\ud83d"
    assert (sent[0].events[0].name, sent[0].status.message) == ("e\\ud83d", "\\ud83d")


def test_wrong_types_are_coerced_and_counted():
    """A name that is a number, an end that is text, a start before 1970: the span is sent, and says so."""
    (sent,) = on_the_wire(Redactor().clean(span(name=7, start_time=-5, end_time="2000")))

    assert (sent.name, sent.start_time_unix_nano, sent.end_time_unix_nano) == ("7", 0, 2000)
    assert {each.key: each.value.int_value for each in sent.attributes}["agentops.coerced"] == 3


def test_unusual_attribute_values_are_made_plain():
    """What newer OpenTelemetry lets in and older does not encode becomes text, and nothing is lost."""
    (sent,) = on_the_wire(Redactor().clean(span(attributes={"d": {"a": [1]}, "n": None, "big": 2**70, "m": ("a", 1)})))

    values = {each.key: each.value.string_value or each.value.int_value for each in sent.attributes}
    assert values.pop("agentops.coerced") == 1  # the whole number: OTLP has no room for it
    assert values == {"d": '{"a":[1]}', "n": "null", "big": str(2**70), "m": '["a",1]'}


def test_forbidden_texts_never_leave():
    """Our own key is taken out wherever it turns up, whatever it looks like."""
    redactor = Redactor()
    seen = span(attributes={"a": "it is our*own*key*1!"})
    assert redactor.clean(seen) is seen
    learn("our*own*key*1")
    clean = redactor.clean(seen)

    assert clean.attributes["a"] == "it is [redacted]!"


def test_short_pictures_leave_every_part_of_a_span():
    """Those that are a text of their own, and those that a name or a type in a text says to be one."""
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256))).decode()
    named = json.dumps([{"type": "blob", "mime_type": "image/png", "content": picture}])
    dirty = span(
        attributes={"a": picture, "list": (picture, "x"), "json": named},
        events=(Event("e", {"alone": picture, "json": named}, 5),),
        links=(Link(PARENT, {"why": picture}),),
        status=Status(StatusCode.ERROR, f"the tool said {named}"),
    )
    wire = encode_spans([Redactor().clean(dirty)]).SerializeToString()

    assert picture[40:60].encode() not in wire
    assert wire.count(b"<image/png of 264 bytes, sha256 ") == 7


def test_long_text_is_cut_and_json_is_not_broken():
    """Plain text is cut at the limit; JSON, whose texts were cut before, may be longer."""
    messages = json.dumps([{"content": "x" * 90}] * 10)
    clean = Redactor(max_length=100).clean(span(attributes={"text": "x" * 1000, "json": messages}))

    assert 60 < len(clean.attributes["text"]) <= 100
    assert clean.attributes["json"] == messages


def test_names_and_the_status_are_no_values():
    """The limit of values cuts none of them; what is far too long is cut all the same, and secrets are looked for."""
    texts = ["GET /customers/{id}/orders/{order}", "the payment service did not answer", "an event of a long name"]
    whole = span(name=texts[0], status=Status(StatusCode.ERROR, texts[1]), events=(Event(texts[2], {}, 5),))
    redactor = Redactor(max_length=20)
    assert redactor.clean(whole) is redactor.clean(whole) is whole
    values = redactor.clean(span(attributes=dict(zip("abc", texts, strict=True)))).attributes
    assert {len(values[name]) <= 20 for name in "abc"} == {True}

    secret = SECRETS["openai"]
    long = redactor.clean(span(name="x" * 1_000_000, status=Status(StatusCode.ERROR, f"{secret} {texts[1]}")))
    assert len(long.name) <= 65_536
    assert long.status.description == f"sk-…[redacted] {texts[1]}"


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES, TREES)
def test_any_span_can_be_sent(name, value):
    """Whatever somebody put into a span, the redactor makes it one that is sent whole."""
    given_span = span(name=name, attributes={"value": value, "a\ud83d": value}, start_time=value, end_time=name)
    (sent,) = on_the_wire(Redactor().clean(given_span))

    assert {each.key for each in sent.attributes} - {"agentops.coerced"} == {"value", "a\\ud83d"}


# ---------------------------------------------------------------------------------------------------------------- leaf

CALL = {"agentops.span.kind": "llm", "gen_ai.request.model": "gpt-4o", "gen_ai.response.finish_reasons": ("stop",)}

HOUSE = House(InMemorySpanExporter())


def leaf(attributes, searched=(), known=None, **more):
    """A finished call: a leaf, some of whose attributes were searched before."""
    scope = Scope(HOUSE.tracer, Configuration(), session_id=SESSION, trace_id=HOUSE.session.trace_id, root=HOUSE.root)
    started = scope.start_span(
        "chat gpt-4o", kind=SpanKind.CLIENT, attributes={**CALL, **attributes}, leaf=True, **more
    )
    started.searched, started.known = searched, secrets.forms if known is None else known
    return started


def test_what_was_searched_is_not_searched_again():
    """The call goes on as it is, the first one and later ones, however long what was searched is."""
    redactor = Redactor()
    for number in range(3):
        given = leaf({"messages": f"[{SECRETS['openai']}]", "id": f"resp_{number}", "n": number}, {"messages"})
        if number:
            assert redactor.clean(given) is given
        else:
            redactor.clean(leaf({"messages": "", "id": "", "n": 1}))


@pytest.mark.parametrize(
    "dirty",
    [
        {"other": SECRETS["openai"]},
        {"other": ("stop", SECRETS["openai"])},
        {"other": ("--api-key", "hunter2hunter2")},
        {"api_key": "hunter2"},
        {"api_key": "stop"},
        {"big": 2**70},
        {"long": "x" * 70_000},
        {"lone": "\ud83d"},
    ],
    ids=str,
)
def test_what_was_not_searched_is_cleaned(dirty):
    """A secret, a name of one, a number that OTLP has no room for: what is beside the searched is looked at as ever."""
    redactor = Redactor()
    for clean in ({"messages": "a"}, {"messages": "a", "other": "stop", "long": "b", "big": 1, "lone": "c"}):
        redactor.clean(leaf(clean, {"messages"}))
    for _ in range(2):
        given = leaf({"messages": "a", **dirty}, {"messages"})
        shown = redactor.clean(given).attributes
        assert dict(shown) == dict(Redactor().clean(span(attributes=dict(given.attributes))).attributes)
        assert dict(shown) != dict(given.attributes)


@pytest.mark.parametrize("searched", [{"api_key"}, {"messages", "api_key"}])
def test_a_secrets_name_needs_no_search(searched):
    """What stands under it goes, also when it was searched."""
    redactor = Redactor()
    for _ in range(2):
        assert redactor.clean(leaf({"messages": "a", "api_key": "hunter2"}, searched)).attributes["api_key"] == REDACTED


def test_a_secret_that_was_learnt_since_is_looked_for():
    """What was searched before the program told us of a key is searched again."""
    redactor = Redactor()
    redactor.clean(leaf({"messages": ""}, {"messages"}))
    given = leaf({"messages": f"it is our*own*key*1, {SECRETS['openai']}!"}, {"messages"})
    assert redactor.clean(given) is given
    try:
        learn("our*own*key*1")
        assert redactor.clean(given).attributes["messages"] == "it is [redacted], sk-…[redacted]!"
    finally:
        secrets.forget()


def test_what_is_set_after_the_search_is_searched():
    """Whoever sets an attribute of a call later has not searched it."""
    redactor = Redactor()
    redactor.clean(leaf({"messages": ""}, {"messages"}))
    given = leaf({"messages": "a"}, {"messages"})
    given.set_attribute("messages", SECRETS["openai"])
    assert redactor.clean(given).attributes["messages"] == "sk-…[redacted]"


def test_a_calls_events_links_status_and_name_are_searched():
    """Whatever was searched of its attributes."""
    redactor = Redactor()
    redactor.clean(leaf({"messages": ""}, {"messages"}))
    parts = [leaf({"messages": ""}, {"messages"}) for _ in range(3)]
    parts[0].add_event("e", {"x": SECRETS["openai"]})
    parts[1].set_status(Status(StatusCode.ERROR, SECRETS["openai"]))
    parts[2].update_name(SECRETS["openai"])
    parts.append(leaf({"messages": ""}, {"messages"}, links=[Link(PARENT, {"x": SECRETS["openai"]})]))
    for part in parts:
        assert SECRETS["openai"][8:].encode() not in encode_spans([redactor.clean(part)]).SerializeToString()


def test_a_hook_gets_what_was_searched():
    """The user's own rule is applied to all values."""
    clean = Redactor(lambda value, path: "seen").clean(leaf({"messages": "a"}, {"messages"}))
    assert clean.attributes["messages"] == "seen"


# ---------------------------------------------------------------------------------------------------------------- hook


def content_span():
    return span(
        attributes={
            "session.id": "s",
            "agentops.span.kind": "llm",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.input.messages": "my diary",
            "gen_ai.usage.input_tokens": 10,
            "tags": ("private",),
        },
        events=(Event("exception", {"exception.type": "ValueError", "exception.message": "my diary"}, 5),),
        links=(Link(PARENT, {"why": "my diary"}),),
        status=Status(StatusCode.ERROR, "my diary"),
    )


def test_hook_sees_every_value_with_its_path():
    """The hook gets each value and its path, but neither the identity of the span nor a secret."""
    seen = {}

    def hook(value, path):
        seen[path] = value
        return value

    Redactor(hook).clean(content_span())

    assert seen == {
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": "my diary",
        "gen_ai.usage.input_tokens": 10,
        "tags": ("private",),
        "exception.exception.type": "ValueError",
        "exception.exception.message": "my diary",
        "link.why": "my diary",
        "status.description": "my diary",
    }


def test_hook_changes_and_removes():
    """What the hook returns is sent; None removes the value."""

    def hook(value, path):
        if path == "tags":
            return None
        return value.replace("diary", "***") if isinstance(value, str) else value

    clean = Redactor(hook).clean(content_span())

    assert clean.attributes == {
        "session.id": "s",
        "agentops.span.kind": "llm",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": "my ***",
        "gen_ai.usage.input_tokens": 10,
    }
    assert clean.events[0].attributes["exception.message"] == "my ***"
    assert clean.status.description == "my ***"
    assert clean.links[0].attributes == {"why": "my ***"}


@pytest.mark.parametrize(
    ("change", "name"),
    [(lambda value: value.replace("ada", "[someone]"), "session mail of [someone]"), (lambda value: None, "session")],
)
def test_the_name_of_a_root_follows_that_of_the_session(change, name):
    """What the hook takes out of the attribute is not left in the name of the span, which it is not given."""
    root = span(name="session mail of ada", attributes={semconv.SESSION_NAME: "mail of ada"})

    assert Redactor(lambda value, path: change(value)).clean(root).name == name


@pytest.mark.parametrize(
    ("hook", "clean"),
    [
        (None, "[redacted] of ada"),
        (lambda value, path: value.replace("ada", "[someone]"), "[redacted] of [someone]"),
        (lambda value, path: None if path == "status.description" else value, None),
        (lambda value, path: None if path == semconv.SESSION_END_STATE_REASON else value, None),
        (lambda value, path: 5, "5"),
        (lambda value, path: value.missing, REDACTION_FAILED),
    ],
)
def test_the_reason_of_an_end_goes_through_the_hook(hook, clean):
    """By both names under which it will be sent."""
    assert Redactor(hook).clean_reason("token=abcdef123456 of ada") == (clean and clean.replace("[r", "token=[r"))


def test_hook_cannot_bring_a_secret_back():
    """What the hook returns is looked through too."""
    clean = Redactor(lambda value, path: SECRETS["openai"]).clean(span(attributes={"a": "b"}))

    assert clean.attributes == {"a": "sk-…[redacted]"}


def raising(value, path):
    raise ValueError("my diary")


def junk(value, path):
    return object()


def junk_list(value, path):
    return [object()]


@pytest.mark.parametrize("hook", [raising, junk, junk_list])
def test_a_failing_hook_hides_all_content(hook, caplog):
    """Fail closed: the span keeps its structure and numbers and loses its content; one line says so."""
    redactor = Redactor(hook)
    with caplog.at_level(logging.WARNING, "agentops_otel"):
        clean = [redactor.clean(content_span()) for _ in range(3)][-1]

    assert clean.attributes == {
        "session.id": "s",
        "agentops.span.kind": "llm",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": REDACTION_FAILED,
        "gen_ai.usage.input_tokens": 10,
        "tags": REDACTION_FAILED,
    }
    assert clean.events[0].attributes == {"exception.type": "ValueError", "exception.message": REDACTION_FAILED}
    assert clean.status.description == REDACTION_FAILED
    assert b"diary" not in encode_spans([clean]).SerializeToString()
    assert len(caplog.messages) == 1
    assert hook.__name__ in caplog.messages[0]
    assert "diary" not in caplog.messages[0]


def test_a_hook_that_makes_spans_does_not_run_in_circles():
    """A span made by the hook is not given to the hook again, and its content is hidden."""
    inner = []

    def hook(value, path):
        inner.append(redactor.clean(span(attributes={"prompt": value})))
        return value

    redactor = Redactor(hook)
    outer = redactor.clean(span(attributes={"prompt": "my diary"}))

    assert outer.attributes == {"prompt": "my diary"}
    assert [each.attributes for each in inner] == [{"prompt": REDACTION_FAILED}]
    assert redactor.clean(span(attributes={"n": "x"})).attributes == {"n": "x"}


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_what_stops_the_program_passes_through_the_hook(raised):
    """Ctrl-C while the hook runs still stops the program, and the next span is redacted as before."""
    stopping = [True]

    def hook(value, path):
        if stopping:
            stopping.pop()
            raise raised
        return "seen"

    redactor = Redactor(hook)
    with pytest.raises(raised):
        redactor.clean(span(attributes={"a": "b"}))

    assert redactor.clean(span(attributes={"a": "b"})).attributes == {"a": "seen"}


def test_a_span_that_cannot_be_read_leaves_without_content(caplog):
    """When even reading a span fails, its place in the trace is kept and nothing else."""

    class Broken(ReadableSpan):
        @property
        def attributes(self):
            raise RuntimeError("my diary")

    broken = Broken("name", context=CONTEXT, parent=PARENT, resource=RESOURCE, start_time=1, end_time=2)
    clean = Redactor().clean(broken)

    assert (clean.name, clean.context, clean.parent, clean.attributes or {}) == (REDACTION_FAILED, CONTEXT, PARENT, {})
    assert ["RuntimeError" in message and "diary" not in message for message in caplog.messages] == [True]
