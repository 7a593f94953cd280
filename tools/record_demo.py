"""Records the sessions of `agentops-otel demo`: real runs of agents against stand-ins, as one file of OTLP JSON.

    python tools/record_demo.py        # writes src/agentops_otel/server/demo.json.gz, in about two minutes

Each play runs in a process of its own and sends to a receiver here. Nothing in the file is made up afterwards but when
each session was: `PLACES` spreads them over a week. Names of this machine are replaced.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from openai import OpenAI
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ROOT: Final = Path(__file__).resolve().parent.parent
FILE: Final = ROOT / "src" / "agentops_otel" / "server" / "demo.json.gz"
sys.path[:0] = [str(ROOT / "examples")]

import agentops_otel as agentops  # noqa: E402
from agentops_otel.server.demo import NEWEST_NS  # noqa: E402

research_team: Any = import_module("research_team")
support_agent: Any = import_module("support_agent")
stand_in: Any = import_module("openai_server")
OpenAIServer, Refusal, calls, text = stand_in.OpenAIServer, stand_in.Refusal, stand_in.calls, stand_in.text

Answer = Callable[[dict[str, Any]], dict[str, Any]]
LATENCY: Final = 0.7
# name of a play, variant, seconds from its end to the moment of loading
PLACES: Final = (
    ("digest", 0, 2),
    ("research", 0, 95),
    ("flaky", 0, 340),
    ("quotes", 0, 900),
    ("support", 0, 2_400),
    ("sales", 0, 5_100),
    ("triage", 0, 7_800),
    ("local", 0, 15_000),
    ("flaky", 1, 27_000),
    ("catalog", 0, 61_000),
    ("support", 1, 88_000),
    ("triage", 1, 101_000),
    ("quotes", 1, 176_000),
    ("sales", 1, 190_000),
    ("research", 1, 262_000),
    ("triage", 2, 351_000),
    ("flaky", 2, 437_000),
    ("local", 1, 521_000),
)


# ------------------------------------------------------------------------------------------------------------- plays


@dataclass
class Tool:
    """A tool of a play: how long it takes, and what each call of it gives; the last one is repeated."""

    seconds: float
    gives: list[Any]
    asked: int = field(default=0)

    def __call__(self) -> Any:
        """The next result."""
        given = self.gives[min(self.asked, len(self.gives) - 1)]
        self.asked += 1
        time.sleep(self.seconds)
        if isinstance(given, Exception):
            raise type(given)(*given.args)  # a new one, which has no traceback yet
        if callable(given):
            return given()
        return given


@dataclass
class Play:
    """An agent with one question, the turns of its model, and its tools."""

    name: str
    tags: list[str]
    model: str
    role: str
    question: str
    turns: list[dict[str, Any]]
    tools: dict[str, Tool]
    patience: int = 20
    """Failures of tools after which the agent gives up."""
    score: tuple[str, float | str, str] | None = None
    """Name, value and comment of what was said of it afterwards."""


def perform(play: Play) -> None:
    """Run a play in a session."""
    refused: list[bool] = []

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        said: int = sum(message["role"] == "assistant" for message in body["messages"])
        if "ratelimit" in play.tags and said == 1 and not refused:
            refused.append(True)
            raise Refusal(429, "Rate limit reached: try again in 1 s")
        return play.turns[said]

    wrapped = {name: agentops.record_tool(name)(_takes_arguments(tool)) for name, tool in play.tools.items()}
    schemas: list[Any] = [
        {"type": "function", "function": {"name": name, "description": name.replace("_", " "), "parameters": {}}}
        for name in play.tools
    ]

    @agentops.agent(play.name)
    def work(question: str) -> str:
        client = OpenAI(base_url=server.url, api_key="none")
        messages: list[Any] = [{"role": "system", "content": play.role}, {"role": "user", "content": question}]
        failures = 0
        while True:
            reply = client.chat.completions.create(model=play.model, messages=messages, tools=schemas)
            message: Any = reply.choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            if not message.tool_calls:
                return str(message.content)
            for call in message.tool_calls:
                try:
                    result = wrapped[call.function.name](**json.loads(call.function.arguments))
                except Exception as error:
                    failures += 1
                    if failures >= play.patience:
                        raise
                    result = f"{type(error).__name__}: {error}"
                messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)})

    with (
        OpenAIServer(LATENCY, answer=answer) as server,
        agentops.session(name=play.name, tags=[tag for tag in play.tags if tag != "ratelimit"]),
    ):
        work(play.question)
        if play.score is not None:
            agentops.score(*play.score)


def _takes_arguments(tool: Tool) -> Callable[..., Any]:
    def call(**arguments: Any) -> Any:
        return tool()

    return call


def _die() -> None:
    """End as `kill -9` does, when what is known so far has been sent."""
    agentops.flush(5)
    time.sleep(1.5)  # so that a heartbeat tells of the open spans
    os.kill(os.getpid(), signal.SIGKILL)


def _flaky(variant: int) -> Play:
    test = ["test_two_sessions_at_once", "test_ends_in_time", "test_retries_after_429"][variant]
    failure = (
        f"FAILED tests/test_session.py::{test} - AssertionError: assert 2 == 1\n1 failed, 41 passed in 5.8 s\n"
        "    sessions = store.sessions()\n>   assert len(sessions) == 1\nE   assert 2 == 1"
    )
    return Play(
        "coding_agent",
        ["ci", f"branch-{variant + 7}"],
        "gpt-4.1",
        "You are a coding agent in a Python repository. Find the cause first, then change as little as possible.",
        f"{test} fails about one time in five. Find out why and fix it.",
        [
            calls(("run_tests", {"path": "tests/test_session.py", "times": 5})),
            calls(("read_file", {"path": "tests/test_session.py"}), ("read_file", {"path": "src/shop/store.py"})),
            calls(("read_file", {"path": "src/shop/stores.py"})),
            calls(("edit_file", {"path": "src/shop/store.py", "old": "self.rows = ROWS", "new": "self.rows = []"})),
            calls(("run_tests", {"path": "tests/test_session.py", "times": 20})),
            text(
                f"`Store` shared one list over all its objects, so `{test}` saw what a test beside it had stored. Each "
                "store has a list of its own now; 20 runs of the file passed."
            ),
        ],
        {
            "run_tests": Tool(6 + 2 * variant, [failure, "840 passed in 14.2 s"]),
            "read_file": Tool(
                0.05,
                [
                    f"def {test}(store):\n    store.add('a')\n    assert len(store.sessions()) == 1\n",
                    "ROWS = []\n\n\nclass Store:\n    def __init__(self):\n        self.rows = ROWS\n",
                    FileNotFoundError("[Errno 2] No such file or directory: 'src/shop/stores.py'"),
                ],
            ),
            "edit_file": Tool(0.1, ["1 line changed"]),
        },
        score=("tests passed", True, "20 of 20 runs"),
    )


def _quotes(variant: int) -> Play:
    vendor = ["Nordlicht", "Halden"][variant]
    again = calls(("fetch_quote", {"vendor": vendor, "item": "60 office chairs"}))
    return Play(
        "quote_agent",
        ["purchasing", "prod"],
        "gpt-4.1-mini",
        "You compare quotes of vendors. Never name a price that you have not fetched.",
        f"Compare the quotes of Brandt and {vendor} for 60 office chairs, with delivery.",
        [
            calls(("fetch_quote", {"vendor": "Brandt", "item": "60 office chairs"})),
            again,
            again,
            again,
            text("I have no quote."),
        ],
        {
            "fetch_quote": Tool(
                1.1,
                [
                    {"vendor": "Brandt", "price": 7_140.0, "delivery": "three weeks"},
                    ConnectionError(f"503 Service Unavailable from quotes.{vendor.lower()}.example"),
                ],
            )
        },
        patience=3,
    )


def _sales(variant: int) -> Play:
    queries = [
        [
            "SELECT shop, sum(returns.cents) / sum(cents) FROM orders JOIN returns GROUP BY 1",
            "SELECT shop, total(r.cents) / sum(o.cents) FROM orders o LEFT JOIN returns r ON order_id = id GROUP BY 1",
        ],
        [
            "SELECT strftime('%w', day), sum(cents) FROM orders JOIN returns GROUP BY 1",
            "SELECT strftime('%w', day), sum(o.cents) FROM orders o GROUP BY 1 ORDER BY 2 DESC",
        ],
    ]
    return Play(
        "sales_analyst",
        ["reports", "prod", "ratelimit"],
        "o4-mini",
        "You answer questions about sales with SQL. Tables: orders(id, day, shop, cents), returns(order_id, cents).",
        ["Which shop had the most returns in October, as a share of its sales?", "Sales per weekday, best first?"][
            variant
        ],
        [
            *(calls(("query", {"sql": query})) for query in queries[variant]),
            text(
                [
                    "Leipzig: 4.1 % of its sales were returned; the other shops are between 1.2 % and 1.9 %.",
                    "Saturday sells most, then Friday; Monday sells least, a third of a Saturday.",
                ][variant]
            ),
        ],
        {
            "query": Tool(
                0.4,
                [
                    ValueError("ambiguous column name: cents"),
                    [
                        [["Leipzig", 0.041], ["Kiel", 0.019], ["Ulm", 0.012]],
                        [["Saturday", 41_200], ["Friday", 30_050], ["Monday", 13_800]],
                    ][variant],
                ],
            )
        },
        score=("correct", 0.9 - variant / 5, "compared with the report of the month"),
    )


def _local(variant: int) -> Play:
    return Play(
        "translator",
        ["offline"],
        "qwen3-8b",
        "You translate. Keep names as they are.",
        ["Translate the return policy into Danish.", "Translate the welcome mail into Polish."][variant],
        [
            calls(("glossary", {"language": ["da", "pl"][variant]})),
            text(
                ["Beskadigede varer refunderes fuldt ud, én gang, uden foto.", "Witamy w herbaciarni, miło nam!"][
                    variant
                ]
            ),
        ],
        {"glossary": Tool(0.02, [{"tea shop": ["tebutik", "herbaciarnia"][variant]}])},
    )


def _catalog(variant: int) -> Play:
    return Play(
        "catalog_import",
        ["nightly"],
        "gpt-4.1-mini",
        "You bring products of suppliers into the catalogue, one file at a time.",
        "Import the files of today's suppliers.",
        [
            calls(("list_files", {"folder": "incoming"})),
            calls(("import_file", {"name": "teapots.csv"})),
            calls(("import_file", {"name": "cups.csv"})),
        ],
        {
            "list_files": Tool(0.1, [["teapots.csv", "cups.csv"]]),
            "import_file": Tool(2.0, ["212 products", _die]),
        },
    )


def _digest(variant: int) -> Play:
    return Play(
        "morning_digest",
        ["prod", "v2"],
        "gpt-4.1",
        "You write the morning digest: what happened over night, most important first.",
        "Write the digest for the support team.",
        [
            calls(("list_tickets", {"since": "18:00"})),
            calls(("read_ticket", {"number": 1842}), ("read_ticket", {"number": 1847})),
            calls(("search_incidents", {"words": "payment timeout", "days": 7})),
        ],
        {
            "list_tickets": Tool(0.6, [[1842, 1847, 1851]]),
            "read_ticket": Tool(0.3, ["My teapot arrived broken.", "The payment page does not answer."]),
            "search_incidents": Tool(3.0, [_die]),
        },
    )


PLAYS: Final = {
    "flaky": _flaky,
    "quotes": _quotes,
    "sales": _sales,
    "local": _local,
    "catalog": _catalog,
    "digest": _digest,
}


def _research(variant: int) -> None:
    import asyncio

    from openai import AsyncOpenAI

    with OpenAIServer(LATENCY, answer=research_team.stand_in) as server:
        asyncio.run(research_team.main(AsyncOpenAI(base_url=server.url, api_key="none")))


def _support(variant: int) -> None:
    with (
        OpenAIServer(LATENCY) as server,
        agentops.session(name="support_agent", tags=["prod", ["v2", "v1"][variant]]),
    ):
        support_agent.SupportAgent(OpenAI(base_url=server.url, api_key="none")).handle(support_agent.TICKET)


def _triage(variant: int) -> None:
    """A program that records the calls of an SDK by itself."""
    mails = ["Invoice 20417 is wrong", "Cancel my subscription", "Do you sell matcha?"]
    with agentops.session(name="mail_triage", tags=["prod", "v2"]):
        call = agentops.LLMEvent(prompt=f"Which team answers this mail?\n\n{mails[variant]}", model="claude-sonnet-4-5")
        time.sleep(1.4)
        call.completion = ["billing", "accounts", "sales"][variant]
        call.prompt_tokens, call.completion_tokens = 412 + 30 * variant, 4
        agentops.record(call)
        agentops.record(agentops.ActionEvent("forward", params={"to": call.completion}))


def play(name: str, variant: int) -> None:
    """Run one of the plays; the process of a play does nothing else."""
    agentops.init(auto_start_session=False, service_name="tea-shop", capture_content="full")
    programs: dict[str, Callable[[int], None]] = {"research": _research, "support": _support, "triage": _triage}
    if name in programs:
        programs[name](variant)
    else:
        perform(PLAYS[name](variant))


# ---------------------------------------------------------------------------------------------------------- recording


class Receiver(ThreadingHTTPServer):
    """Takes what one play sends."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.logs: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Receive)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Receive(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        """Keep one request, and acknowledge it."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if self.path == "/v1/traces":
            self.server.spans += _json(ExportTraceServiceRequest.FromString(body))["resourceSpans"]
        elif self.path == "/v1/logs":
            self.server.logs += _json(ExportLogsServiceRequest.FromString(body))["resourceLogs"]
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is http.server's)
        """Say nothing."""


def _json(message: Any) -> dict[str, Any]:
    """A message as OTLP writes it in JSON: ids are hexadecimal there."""

    def hexadecimal(node: Any) -> Any:
        if isinstance(node, list):
            return [hexadecimal(each) for each in node]
        if not isinstance(node, dict):
            return node
        ids = ("traceId", "spanId", "parentSpanId")
        return {k: base64.b64decode(v).hex() if k in ids else hexadecimal(v) for k, v in node.items()}

    found: dict[str, Any] = hexadecimal(MessageToDict(message, use_integers_for_enums=True))
    return found


def record(place: tuple[str, int, int]) -> tuple[list[Any], list[Any]]:
    """Run a play, and give what it sent, moved to its place before the time 0."""
    name, variant, ago = place
    receiver = Receiver()
    variables = {
        "PATH": os.environ["PATH"],
        "AGENTOPS_ENDPOINT": f"http://127.0.0.1:{receiver.server_port}",
        "AGENTOPS_SUMMARY": "false",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=demo",
    }
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, name, str(variant)]
        done = subprocess.run(
            command, env={**variables, "XDG_STATE_HOME": folder}, cwd=folder, check=False, timeout=180
        )
    receiver.shutdown()
    print(f"{name} {variant}: exit code {done.returncode}", flush=True)
    sent = json.dumps([receiver.spans, receiver.logs])
    newest = max(map(int, _TIME.findall(sent)))
    moved = _TIME.sub(lambda found: str(int(found[0]) - newest - ago * 10**9 + NEWEST_NS), sent)
    spans, logs = json.loads(anonymous(moved))
    return spans, logs


# Nanoseconds since the epoch, also within the texts of heartbeats.
_TIME: Final = re.compile(r'(?<=[" ])1[67]\d{17}(?=[" ])')


def anonymous(sent: str) -> str:
    """The text without what only says which machine has recorded it."""
    places = {
        sys.prefix: "/opt/tea-shop/.venv",
        str(ROOT): "/opt/tea-shop",
        str(Path(subprocess.__file__).parent): "/usr/lib/python3",
        sys.base_prefix: "/usr",
    }
    for path, instead in places.items():
        sent = sent.replace(path, instead)
    return sent


_RENAMED: Final = {"host.name": "kettle", "host.id": "0a1b2c3d4e5f", "process.owner": "ada", "os.version": "6.12"}
_DROPPED: Final = ("container.id", "agentops.python.packages", "process.command", "os.description")


def tidy(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Resources once each, without what tells of this machine."""
    found: dict[str, dict[str, Any]] = {}
    for each in resources:
        kept = []
        for item in each["resource"]["attributes"]:
            if item["key"] in _RENAMED:
                item["value"] = {"stringValue": _RENAMED[item["key"]]}
            if not item["key"].startswith(_DROPPED):
                kept.append(item)
        each["resource"]["attributes"] = kept
        whole = found.setdefault(json.dumps(each["resource"], sort_keys=True), each)
        if whole is not each:
            scopes = "scopeSpans" if "scopeSpans" in each else "scopeLogs"
            whole[scopes] += each[scopes]
    return list(found.values())


def main() -> None:
    """Record all plays, some at a time."""
    with ThreadPoolExecutor(4) as pool:
        recorded = list(pool.map(record, PLACES))
    spans = tidy([each for found, _ in recorded for each in found])
    logs = tidy([each for _, found in recorded for each in found])
    whole = json.dumps({"resourceSpans": spans, "resourceLogs": logs}, separators=(",", ":")).encode()
    FILE.write_bytes(gzip.compress(whole, 9, mtime=0))
    print(f"{FILE.relative_to(ROOT)}: {len(whole):,} bytes, {FILE.stat().st_size:,} compressed")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        play(sys.argv[1], int(sys.argv[2]))
    else:
        main()
