"""The sessions that pages are looked at with: one that runs, one that ended well, one that failed, one that was killed,
one without a price, a large one, and many.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from urllib.request import Request, urlopen

from .sessions import SECOND, Run

CLAUDE, MINI = "claude-sonnet-4-5", "gpt-4.1-mini"


def ci_medic(now_ns: int) -> Run:
    """A session that runs: two agents, calls at once, one recovered error, one tool that is open."""
    run = Run("ci-medic", now_ns - int(94.2 * SECOND), tags=["ci"])
    run.wait(0.2)
    run.ask(
        "Find out why test_checkout_retry fails one run in five, fix it, and prove that it is fixed. It is red on main "
        "about once in five runs since Thursday. Open a pull request when you are sure.",
        system="You are a careful engineer. " * 40,
    )
    run.llm(
        CLAUDE,
        5.66,
        first=1.12,
        answer="I look for the test and read the last red runs on main at the same time.",
        calls=[
            ("search_code", {"query": "test_checkout_retry"}),
            ("log-reader", {"task": "Compare the red runs 88121, 88147 and 88163"}),
        ],
        tokens=(4906, 236),
    )
    run.tool(
        "search_code",
        {"query": "test_checkout_retry"},
        "tests/checkout/test_retry.py:41  def test_checkout_retry(client, slow_gateway, monkeypatch):\n"
        "src/checkout/retry.py:18         def with_backoff(call, tries=4, base=0.05):",
        0.42,
    )
    run.now_ns -= int(0.42 * SECOND)
    with run.agent(
        "log-reader", "Compare the red runs 88121, 88147 and 88163 of test_checkout_retry. What do they share?"
    ):
        logs = [(88121, 2.11, "0.612", 24118), (88147, 2.89, "0.553", 23904), (88163, 1.57, "0.731", 24260)]
        run.wait(0.1)
        run.llm(
            MINI, 1.85, first=0.41, calls=[("fetch_ci_log", {"run": number}) for number, *_ in logs], tokens=(1848, 74)
        )
        with run.together():
            for number, seconds, elapsed, lines in logs:
                text = f"assert {elapsed} < 0.5\n" + "\n".join(
                    f"line {line} of the log" for line in range(lines // 100)
                )
                run.tool("fetch_ci_log", {"run": number}, text, seconds)
        run.llm(
            MINI,
            11.8,
            first=2.4,
            answer="All three fail on one line, assert elapsed < 0.5 (test_retry.py:58), with 0.61, 0.55 and 0.73 s. "
            "Each ran on a runner with a load above 6. There is no gateway error in any of them: the retries work, "
            "only the clock is missed.",
            tokens=(61400, 388, 1842),
        )
    reads = [("read_file", {"path": "src/checkout/retry.py"}), ("read_file", {"path": "tests/checkout/test_retry.py"})]
    run.llm(
        CLAUDE,
        7.24,
        first=1.86,
        answer="So the product works and the test measures wall time. I read both files before I touch anything.",
        calls=reads,
        tokens=(6214, 198, 4612),
    )
    with run.together():
        for lines, (name, arguments) in zip((64, 112), reads, strict=True):
            run.tool(name, arguments, "\n".join(f"{line:>4}  code" for line in range(lines)), 0.02)
    patch = {
        "path": "tests/checkout/test_retry.py",
        "diff": "-    started = time.monotonic()\n+    slept = []\n"
        "+    monkeypatch.setattr(retry, 'sleep', slept.append)\n"
        "     checkout(client, slow_gateway)\n-    assert time.monotonic() - started < 0.5\n"
        "+    assert slept == pytest.approx([0.05, 0.1, 0.2], rel=0.5)\n",
    }
    run.llm(
        CLAUDE,
        11.2,
        first=2.31,
        thought="The bound has no margin. Jitter alone can miss it. " * 12,
        answer="The back-off sleeps 50, 100 and 200 ms with up to 50 % jitter: 350 ms on a good day, 525 ms in the "
        "worst case. The bound of 0.5 s can fail by itself. I take the clock out of the test and assert the delays "
        "that were asked for.",
        calls=[("apply_patch", patch)],
        tokens=(9377, 742, 6092, 412),
    )
    run.tool("apply_patch", patch, "1 file changed", 0.05)
    run.wait(5.53)
    whole = {"path": "tests/checkout", "timeout": 20}
    run.tool(
        "run_tests",
        whole,
        None,
        20.02,
        error=("TimeoutExpired", "Command 'pytest -q tests/checkout' timed out after 20 seconds"),
    )
    changed = {"path": "tests/checkout/test_retry.py", "timeout": 60}
    run.llm(
        CLAUDE,
        4.46,
        first=1.31,
        answer="The whole folder needs more than 20 s here. I run the changed file alone.",
        calls=[("run_tests", changed)],
        tokens=(10689, 131, 9252),
    )
    run.tool("run_tests", changed, "4 passed in 4.91s", 5.55)
    run.llm(
        CLAUDE,
        3.59,
        first=1.18,
        answer="One pass proves little for a test that fails once in five. Fifty passes would: the odds of that by "
        "luck are 1 in 70,000.",
        calls=[("run_tests", {"path": "tests/checkout/test_retry.py", "count": 50})],
        tokens=(11204, 118, 10562),
    )
    open_for = (now_ns - run.now_ns) / SECOND
    run.now_ns = now_ns
    return run.heartbeat(("tool", "execute_tool run_tests", open_for))


def refund(began_ns: int, key: str = "") -> Run:
    """A session that ended well after one recovered error."""
    run = Run("support-desk", began_ns, tags=["prod", "v2"], host="shop-api-1", service="shop-api", key=key)
    run.ask("Refund order 1842: the blender arrived broken", system="You are the support desk of a shop.")
    run.llm("gpt-4.1", 1.0, first=0.4, calls=[("find_order", {"id": 1842})], tokens=(1204, 38))
    run.tool("find_order", {"id": 1842}, {"id": 1842, "total": 61.9, "currency": "EUR", "item": "blender"}, 0.33)
    refunding = {"order": 1842, "amount": 61.9}
    run.llm("gpt-4.1", 1.4, first=0.5, calls=[("refund", refunding)], tokens=(1310, 52, 612))
    run.tool("refund", refunding, None, 0.62, error=("ConnectionError", "payments.internal:443 reset by peer"))
    run.llm("gpt-4.1", 0.92, first=0.4, calls=[("refund", refunding)], tokens=(1398, 44, 612))
    run.tool("refund", refunding, {"state": "accepted"}, 0.55)
    run.llm(
        "gpt-4.1",
        1.5,
        first=0.42,
        answer="Refund of 61.90 EUR is on its way; the confirmation mail is sent.",
        tokens=(1486, 71, 827),
    )
    return run.end("Success")


def refused_refund(began_ns: int, key: str = "") -> Run:
    """A session that failed: the same call three times."""
    run = Run("support-desk", began_ns, tags=["prod", "v2"], host="shop-api-1", service="shop-api", key=key)
    run.ask("Refund order 1907, two chairs, both with scratches", system="You are the support desk of a shop.")
    run.llm("gpt-4.1", 1.1, first=0.4, calls=[("find_order", {"id": 1907})], tokens=(1204, 40))
    run.tool("find_order", {"id": 1907}, {"id": 1907, "total": 412.9, "currency": "EUR"}, 0.35)
    refunding = {"order": 1907, "amount": 412.9}
    error = ("PermissionError", "refund of 412.90 EUR needs approval")
    for attempt in range(3):
        run.llm("gpt-4.1", 1.4, first=0.5, calls=[("refund", refunding)], tokens=(1310 + 200 * attempt, 52, 612))
        run.tool("refund", refunding, None, 0.4, error=error)
    return run.end("Fail", ": ".join(error))


def killed(began_ns: int, key: str = "") -> Run:
    """A session whose process was killed: no end, an old heartbeat."""
    run = Run("nightly-index", began_ns, tags=["cron"], host="batch-2", service="search", key=key)
    run.ask("Re-index the help centre, 4,118 pages")
    for _ in range(12):
        run.llm("text-embedding-3-small", 3.2, tokens=(90_000, 0), operation="embeddings")
    return run.heartbeat(("llm", "embeddings text-embedding-3-small", 1.0))


def unpriced(began_ns: int, key: str = "") -> Run:
    """A session with a model that has no price."""
    run = Run("local-coder", began_ns, tags=["dev"], host="laptop", key=key)
    run.ask("Write a parser for the 2019 log format")
    for turn in range(6):
        call = {"path": "parser.py", "turn": turn}
        run.llm("qwen3-coder-local", 12.0, calls=[("write_file", call)], tokens=(5300, 620), provider="openai")
        run.tool("write_file", call, "ok", 0.8)
    run.llm("qwen3-coder-local", 9.0, answer="Parser and 14 tests written; all pass.", tokens=(9100, 210))
    return run.end("Success")


def large(began_ns: int, spans: int = 5000, key: str = "") -> Run:
    """A session of many spans, in agents of forty."""
    run = Run("crawler", began_ns, tags=["batch"], host="batch-1", service="crawler", key=key or str(spans))
    run.ask("Read the catalogue and write a summary of each product")
    count = 1
    for page in range(10**9):
        with run.agent(f"reader-{page}", f"Summarise page {page}"):
            for step in range(20):
                if count + 3 > spans:
                    break
                call = {"url": f"https://shop.example/{page}/{step}"}
                run.llm(MINI, 0.8, first=0.2, calls=[("fetch", call)], tokens=(900 + step, 40, 512))
                run.tool("fetch", call, f"Product {page}/{step}: in stock", 0.15)
                count += 2
        count += 1
        if count + 3 > spans:
            break
    run.history = []
    run.llm(MINI, 1.0, answer="All products are summarised.", tokens=(4000, 300))
    return run.end("Success")


ASKED = [
    (
        "docs-bot",
        "How do I rotate an API key without downtime?",
        "Create the second key, deploy it, then revoke the first.",
    ),
    ("docs-bot", "Does the free plan include webhooks?", "Yes, up to 1,000 deliveries a month."),
    ("sql-analyst", "Which five countries grew fastest in Q3, and why?", "Poland, Vietnam, Mexico, Chile, Kenya."),
    (
        "invoice-reader",
        "Read totals and VAT ids from 14 scanned invoices",
        "14 of 14 read; invoice 2231 carries two totals.",
    ),
    (
        "release-notes",
        "Write release notes for 4.8.0 from 63 merged pull requests",
        "5 features, 21 fixes, 2 breaking changes.",
    ),
    (
        "contract-diff",
        "List every change between the 2024 and the 2026 lease draft",
        "37 changes, 4 of them in liability.",
    ),
    ("etl-healer", "orders_daily is 40 % short: find the break and backfill", "Backfilled from two late files."),
    (
        "l10n-review",
        "Review 212 German strings for tone and length",
        "9 strings are too long, 4 use the wrong form of address.",
    ),
]
MODELS = ["gpt-4.1", "gpt-4.1-mini", CLAUDE, "gpt-5-mini", "claude-haiku-4-5"]
TOOLS = ["search", "fetch", "read_file", "run_sql", "write_file"]


def many(now_ns: int, count: int, spans: int = 20, *, days: float = 7.0, seed: int = 1) -> Iterator[Run]:
    """Sessions of about so many spans over the last days, newest first; the same for the same seed."""
    chance = random.Random(seed)
    for number in range(count):
        began = now_ns - int((number + chance.random()) / count * days * 86_400 * SECOND) - 120 * SECOND
        name, asked, answer = ASKED[chance.randrange(len(ASKED))]
        model = MODELS[chance.randrange(len(MODELS))]
        host = f"shop-api-{chance.randrange(4)}"
        tags = chance.sample(["prod", "ci", "dev", "v2", "batch"], 2)
        run = Run(name, began, tags=tags, host=host, key=str(number))
        run.ask(asked)
        fails = chance.random() < 0.08
        for step in range(max(1, (spans - 2) // 2)):
            tool, call = TOOLS[chance.randrange(len(TOOLS))], {"query": f"{asked[:12]} {number} {step}"}
            tokens = (800 + chance.randrange(9000), 40 + chance.randrange(400), chance.randrange(700))
            run.llm(model, 0.5 + chance.random() * 4, first=0.3, calls=[(tool, call)], tokens=tokens)
            wrong = ("TimeoutError", "no answer in 30 s") if chance.random() < 0.02 else None
            run.tool(tool, call, f"result {number} {step}", 0.05 + chance.random(), error=wrong)
            run.history = run.history[:1] + run.history[-2:]
        if fails:
            run.llm(model, 1.0, error=("RateLimitError", "429 from the provider after 5 retries"))
            yield run.end("Fail", "RateLimitError: 429 from the provider after 5 retries")
        else:
            run.llm(model, 1.5, first=0.4, answer=answer, tokens=(2000, 90, 512))
            yield run.end("Success" if chance.random() > 0.03 else "Indeterminate")


def scene(now_ns: int) -> list[Run]:
    """One of each, for pages and their pictures."""
    minute = 60 * SECOND
    return [
        ci_medic(now_ns),
        refund(now_ns - 5 * minute),
        refused_refund(now_ns - 13 * minute),
        unpriced(now_ns - 95 * minute),
        killed(now_ns - 400 * minute),
        large(now_ns - 180 * minute),
        *many(now_ns - 20 * minute, 120, 12, days=2.0),
    ]


def post(endpoint: str, run: Run) -> None:
    """Send a session to an OTLP endpoint."""
    for signal, body in (("traces", run.traces()), ("logs", run.logs())):
        request = Request(f"{endpoint}/v1/{signal}", body, {"content-type": "application/x-protobuf"})
        urlopen(request).close()


if __name__ == "__main__":  # python -m tests.fakes.plays http://127.0.0.1:4318 [HOW MANY]
    for run in many(time.time_ns(), int(sys.argv[2])) if len(sys.argv) > 2 else scene(time.time_ns()):
        post(sys.argv[1], run)
