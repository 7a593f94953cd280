"""Makes what a user can do wrong, one thing after the other, and names each on standard error before."""

from __future__ import annotations

import os
import sys

import agentops_otel as agentops


def says(title, work):
    """What a piece of work says; an exception with its text as Python would show it."""
    print(f"\n> {title}", file=sys.stderr)
    try:
        work()
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.stderr.flush()


def twice(event):
    agentops.record(event)
    agentops.record(event)


MISTAKES = {
    "init(protocol=5, max_queue_size=-1, endpoint='collector', api_key='a b', timeout='soon')": lambda: agentops.init(
        "a b", protocol=5, max_queue_size=-1, endpoint="collector", timeout="soon"
    ),
    "init(end_point='http://localhost:4318')": lambda: agentops.init(end_point="http://localhost:4318"),
    "init(inherited_session_id='order 1842')": lambda: agentops.init(inherited_session_id="order 1842"),
    "instrument('coher')": lambda: agentops.instrument("coher"),
    "tool(5)": lambda: agentops.tool(5),
    "Configuration().timeout = 5": lambda: setattr(agentops.Configuration(), "timeout", 5),
    "end_session() without a session": agentops.end_session,
    "add_tags('a') without a session": lambda: agentops.add_tags("a"),
    "record(event) without a session": lambda: agentops.record(agentops.ActionEvent("search")),
    "start_session(tags=5)": lambda: agentops.start_session(tags=5),
    "start_session() a second time": agentops.start_session,
    "init() a second time, with other settings": lambda: agentops.init(max_queue_size=9),
    "session(inherited_session_id=another)": lambda: agentops.session(
        inherited_session_id="0123abcd-0123-4567-89ab-0123456789ab"
    ).__enter__(),
    "add_tags([1])": lambda: agentops.add_tags([1]),
    "record('text')": lambda: agentops.record("text"),
    "record(event) twice": lambda: twice(agentops.ActionEvent("search")),
    "ActionEvent(init_timestamp='yesterday')": lambda: agentops.record(
        agentops.ActionEvent("search", init_timestamp="yesterday")
    ),
    "LLMEvent(prompt_tokens='many', cost='dear')": lambda: agentops.record(
        agentops.LLMEvent(prompt="p", completion="c", model="m", prompt_tokens="many", cost="dear")
    ),
    "end_session('Won')": lambda: agentops.end_session("Won"),
    "flush('1')": lambda: agentops.flush("1"),
    "flush('soon')": lambda: agentops.flush("soon"),
    "end_session('Success', video='nowhere.mp4')": lambda: agentops.end_session("Success", video="nowhere.mp4"),
    "shutdown(None)": lambda: agentops.shutdown(None),
}


def session(**settings):
    """One session with one action."""

    def work():
        agentops.init(summary=True, name="order 1842", shutdown_timeout=10, **settings)
        agentops.record(agentops.ActionEvent("search"))
        agentops.end_session("Fail", "the payment was refused")
        agentops.shutdown(10)

    return work


if __name__ == "__main__":
    if sys.argv[1] == "mistakes":
        for title, work in MISTAKES.items():
            says(title, work)
    elif sys.argv[1] == "variables":
        says(f"init() with {os.environ['SHOWN']}", lambda: agentops.init(summary=False, journal="off"))
    else:
        says(f"a session with {sys.argv[2]}", session(endpoint=sys.argv[1]))
