"""The calls of the AgentOps documentation as they stand there; only the import line is another.

    python examples/agentops_snippets.py

Each function is one page of that documentation: https://docs.agentops.ai/v1/concepts/sessions and its neighbours.
"""

from __future__ import annotations

import agentops_otel as agentops
from agentops_otel import (
    ActionEvent,
    ErrorEvent,
    LLMEvent,
    ToolEvent,
    record,
    record_action,
    record_function,
    record_tool,
    track_agent,
)


def starting_a_session() -> None:
    """`init()` starts a session and returns its id."""
    session_id = agentops.init()
    print(f"started {session_id}")
    agentops.end_session("Success")


def starting_later() -> None:
    """`init()` without a session, and `start_session()` when the time has come."""
    agentops.init(auto_start_session=False)
    agentops.start_session()
    agentops.end_session("Success")


def inherited_sessions() -> None:
    """Two ways to join a session of another process."""
    session_id = agentops.init()
    agentops.shutdown()  # here: to be the other process
    agentops.init(inherited_session_id=session_id)
    agentops.end_session("Success")
    agentops.start_session(inherited_session_id=session_id)
    agentops.end_session("Success")


def tags() -> None:
    """Tags at the start and later."""
    agentops.init(tags=["test tag"])
    agentops.set_tags(["test new tag"])
    agentops.add_tags(["appended tag"])
    agentops.end_session("Success")


def configuration() -> None:
    """Settings for one session."""
    agentops.init(auto_start_session=False)
    agentops.start_session(config=agentops.Configuration(max_queue_size=100, max_wait_time=1000))
    agentops.end_session("Fail", end_state_reason="only an example")


@record_action("sample function being recorded")
def sample_function(number: int) -> int:
    """An action: parameters, result and duration are recorded."""
    return sample_tool(number) + 1


@record_tool("SampleToolName")
def sample_tool(number: int) -> int:
    """A tool, recorded inside the action."""
    return 2 * number


@record_function()
def some_action(params: str) -> str:
    """An action that is named after the function."""
    return f"some response to {params}"


@track_agent(name="SomeCustomName")
class MyAgent:
    """What an agent's methods record carries its id."""

    def answer(self, question: str) -> str:
        """Take the question."""
        return some_action(question)


def recording_events() -> None:
    """Decorators and events."""
    agentops.init()
    sample_function(20)
    MyAgent().answer("Where is my order?")
    record(ActionEvent("event_type1"))
    tool_event = ToolEvent(name="scrape_website", params={"url": "https://example.com"})
    try:
        raise ConnectionError("no route to host")
    except ConnectionError as e:
        record(tool_event)
        record(ErrorEvent(exception=e, trigger_event=tool_event))
    record(
        LLMEvent(
            prompt="What's the weather today?",
            completion="It's sunny and warm.",
            model="gpt-4.1-mini",
            prompt_tokens=5,
            completion_tokens=4,
        )
    )
    agentops.end_session("Success")


if __name__ == "__main__":
    for snippet in (starting_a_session, starting_later, inherited_sessions, tags, configuration, recording_events):
        snippet()
        agentops.shutdown()
