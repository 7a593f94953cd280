"""A support agent: it plans, looks up an order, refunds it (the payment service fails once) and answers the customer.

    python examples/support_agent.py

With OPENAI_API_KEY it talks to OpenAI, without one to a stand-in on this machine. With AGENTOPS_ENDPOINT or
OTEL_EXPORTER_OTLP_ENDPOINT the session goes there; without one it stays in memory and is printed as a tree of spans.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from openai import OpenAI
from openai_server import OpenAIServer
from span_tree import span_tree

import agentops_otel as agentops
from agentops_otel.testing import SpanCapture

MODEL = "gpt-4.1-mini"
POLICY = """You are the support agent of a tea shop. Damaged goods are refunded in full, once, without a photo.
Use the tools. When everything is done, say DONE and nothing else."""
TICKET = "Order 1842: my teapot arrived broken. Can I have my money back? Ada"
ORDERS = {1842: {"customer": "Ada", "item": "teapot", "paid": 42.0, "delivered": "yesterday"}}
attempts: list[int] = []


@agentops.tool
def find_order(order_id: int) -> dict:
    """Look up an order by its number."""
    return ORDERS[order_id]


@agentops.tool
def refund(order_id: int, amount: float) -> dict:
    """Pay money back for an order. Call it again when it times out."""
    attempts.append(order_id)
    if len(attempts) == 1:
        raise TimeoutError("the payment service did not answer")
    return {"order_id": order_id, "refunded": amount, "arrives": "within two days"}


def schema(tool: Callable[..., dict], **types: str) -> dict:
    """Describe a tool to the model."""
    properties = {name: {"type": kind} for name, kind in types.items()}
    parameters = {"type": "object", "properties": properties, "required": list(types)}
    function = {"name": tool.__name__, "description": tool.__doc__, "parameters": parameters}
    return {"type": "function", "function": function}


TOOLS = {"find_order": find_order, "refund": refund}
SCHEMAS = [schema(find_order, order_id="integer"), schema(refund, order_id="integer", amount="number")]


def use_tool(call: Any) -> dict:
    """Run the tool the model asked for; a failure is an answer too, so that the model can try again."""
    try:
        result: object = TOOLS[call.function.name](**json.loads(call.function.arguments))
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    return {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)}


class SupportAgent:
    """Helps customers, one after the other."""

    def __init__(self, client: OpenAI) -> None:
        self._client = client

    @agentops.action
    def plan(self, ticket: str) -> str:
        """Let the model say what it will do."""
        question = f"Plan in three short steps how to help this customer.\n\n{ticket}"
        messages = [{"role": "user", "content": question}]
        reply = self._client.chat.completions.create(model=MODEL, messages=messages)
        return reply.choices[0].message.content or ""

    @agentops.agent("support_agent")
    def handle(self, ticket: str) -> str:
        """Help one customer from the ticket to the answer."""
        messages = [{"role": "system", "content": POLICY}, {"role": "user", "content": ticket}]
        messages.append({"role": "assistant", "content": self.plan(ticket)})
        for _ in range(8):
            answered = self._client.chat.completions.create(model=MODEL, messages=messages, tools=SCHEMAS)
            reply = answered.choices[0].message
            messages.append(reply.model_dump(exclude_none=True))
            if not reply.tool_calls:
                break
            messages += [use_tool(call) for call in reply.tool_calls]
        messages.append({"role": "user", "content": "Now write the answer to the customer, in two sentences."})
        answer = ""
        stream = self._client.chat.completions.create(
            model=MODEL, messages=messages, stream=True, stream_options={"include_usage": True}
        )
        for chunk in stream:
            word = (chunk.choices[0].delta.content or "") if chunk.choices else ""
            print(word, end="", flush=True)
            answer += word
        print("\n")
        return answer


def main(client: OpenAI) -> None:
    """Run the agent in a session of its own and show what was recorded."""
    endpoint = os.environ.get("AGENTOPS_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    spans = SpanCapture()
    session_id = agentops.init(
        name="support_agent", tags=["demo"], service_name="tea-shop", exporter=None if endpoint else spans
    )
    SupportAgent(client).handle(TICKET)
    agentops.add_tags(["refund"])
    agentops.end_session("Success")
    print(f"session {session_id}")
    print(f"trace {session_id.replace('-', '')} at {endpoint}" if endpoint else span_tree(spans.spans))


if __name__ == "__main__":
    if os.environ.get("OPENAI_API_KEY"):
        main(OpenAI())
    else:
        print("No OPENAI_API_KEY is set: a stand-in on this machine answers instead of OpenAI.\n")
        with OpenAIServer(latency=0.15) as server:
            main(OpenAI(base_url=server.url, api_key="none"))
