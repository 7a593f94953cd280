"""What type checkers must make of `import agentops_otel`; checked by mypy and pyright, not meant to be executed."""

from __future__ import annotations

from typing import Literal

from opentelemetry import trace
from typing_extensions import assert_type

import agentops_otel as agentops
from agentops_otel import Configuration, EndState, Session

assert_type(agentops.__version__, str)
assert_type(agentops.init("key", endpoint="http://localhost:4318", tags=["a"]), str | None)
agentops.init(protocol="grpc", capture_content="metadata", journal="memory", headers={"a": "b"}, timeout=3)
assert_type(agentops.start_session(["a"], Configuration(summary=False), name="order 1842"), str)
agentops.end_session("Success")
agentops.end_session(EndState.Fail, "the payment was refused", video="screen.mp4")
assert_type(agentops.flush(1.0), bool)
agentops.score("correct", True)
agentops.score("style", "good", comment="short and polite", span="00f067aa0ba902b7")
agentops.shutdown(1.0)

agentops.init(protocol="htp")  # type: ignore[arg-type]
agentops.init(capture_content="all")  # type: ignore[arg-type]
agentops.init(journal="ram")  # type: ignore[arg-type]
agentops.init(end_point="http://localhost:4318")  # type: ignore[call-arg]
Configuration(protocol="htp")  # type: ignore[arg-type]
agentops.end_session("Won")  # type: ignore[arg-type]
agentops.score("correct", None)  # type: ignore[arg-type]

with agentops.session(name="order 1842", tags=["shop"]) as session:
    assert_type(session, Session)
    assert_type(session.session_id, str)
    assert_type(session.end_state, EndState | None)
    assert_type(session.totals.cost, float | None)
    assert_type(session.environ(), dict[str, str])
    assert_type(session.end("Fail", "why"), bool)
    session.record(agentops.ActionEvent("search"))
    session.score("correct", 0.5, span=trace.get_current_span())
    session.end("Won")  # type: ignore[arg-type]

configuration = Configuration()
protocol: Literal["http/protobuf", "grpc", "console", "file"] = configuration.protocol
assert_type(configuration.max_queue_size, int)


async def main() -> None:
    async with agentops.session() as session:
        assert_type(session, Session)


@agentops.tool
def find_order(order_id: int) -> str:
    return str(order_id)


@agentops.agent("support")
class Support:
    def answer(self, order_id: int) -> str:
        return find_order(order_id)


assert_type(find_order(1), str)
assert_type(Support().answer(1), str)
assert_type(agentops.current_session(), Session | None)

with agentops.instrument("openai"):
    pass
