"""A research team: a planner, researchers who work at the same time, a critic who objects, and a writer.

    python examples/research_team.py

With OPENAI_API_KEY it talks to OpenAI, without one to a stand-in of its own. The session goes to
AGENTOPS_ENDPOINT, or to http://localhost:4318 where `agentops-otel up` shows it: who worked when, what the page that
did not answer at first has cost, what the critic's objection has changed.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any

from openai import AsyncOpenAI
from openai_server import OpenAIServer, calls, text

import agentops_otel as agentops

QUESTION = (
    "Each of our ships stores 40 sensor readings a second in one file, and the office wants yearly reports of them. "
    "SQLite or DuckDB?"
)
PLANNER = "You are the planner of a research team. Answer with a JSON list of two questions, one for each researcher."
RESEARCHER = """You are a researcher. Answer the question from the library alone, and name your sources.
Search first, then read what looks useful. A page that does not answer can be read again."""
CRITIC = """You are the critic. Say AGREED when the findings answer the question.
Else say OBJECTION: and the one question that is still open."""
WRITER = "You are the writer. Make a recommendation of the findings in one short paragraph, with sources."
LIBRARY = {
    "ships": "The loggers write 40 readings a second, each with a time, a sensor and a value: 1.3 billion a year. "
    "Power fails about once a month, and the file must open again without anybody on board.",
    "sqlite-wal": "In write-ahead log mode a writer of SQLite appends to a second file while readers go on. There is "
    "one writer at a time. After a power cut the next program that opens the database recovers it from the log.",
    "sqlite-rows": "SQLite stores whole rows in B-trees. A sum over one column reads the pages of all columns, unless "
    "an index has everything that the query names.",
    "duckdb-columns": "DuckDB stores each column by itself, in compressed blocks. A sum reads the columns that it "
    "names, and skips blocks whose smallest and largest value cannot match.",
    "duckdb-processes": "One process at a time can open a file of DuckDB for writing; then no other process can read "
    "it. Many can read it when nobody writes. DuckDB can read the tables of a SQLite file through its extension.",
}
unread = {"sqlite-wal"}  # a page that does not answer the first time


@agentops.tool
async def search_library(words: str) -> list[str]:
    """Find the names of pages that have one of the words."""
    await asyncio.sleep(0.12)
    return [name for name, page in LIBRARY.items() if any(word in page.lower() for word in words.lower().split())]


@agentops.tool
async def read_page(name: str) -> str:
    """Read a page of the library by its name."""
    await asyncio.sleep(0.5 if name in unread else 0.2)
    if name in unread:
        unread.discard(name)
        raise TimeoutError(f"the library did not answer for {name} within 0.5 s")
    return LIBRARY[name]


def schema(tool: Callable[..., Any], argument: str) -> dict[str, Any]:
    """Describe a tool with one argument of text to the model."""
    parameters = {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]}
    return {
        "type": "function",
        "function": {"name": tool.__name__, "description": tool.__doc__, "parameters": parameters},
    }


TOOLS: dict[str, Callable[..., Any]] = {"search_library": search_library, "read_page": read_page}
SCHEMAS = [schema(search_library, "words"), schema(read_page, "name")]


async def use(call: Any) -> dict[str, Any]:
    """Run the tool that the model asked for; a failure is an answer too, so that the model can try again."""
    try:
        result: object = await TOOLS[call.function.name](**json.loads(call.function.arguments))
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    return {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)}


class Team:
    """Four roles that share a client."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client

    @agentops.workflow("research")
    async def answer(self, question: str) -> str:
        """Plan, research at the same time, let the critic object once, write."""
        questions = await self.plan(question)
        findings = list(await asyncio.gather(*map(self.research, questions)))
        verdict = await self.criticise("\n\n".join([question, *findings]))
        if verdict.startswith("OBJECTION:"):
            findings.append(await self.research(verdict.removeprefix("OBJECTION:").strip()))
            await self.criticise("\n\n".join([question, *findings]))
        return await self.write("\n\n".join([question, *findings]))

    @agentops.agent("planner")
    async def plan(self, question: str) -> list[str]:
        """Split the question."""
        return list(json.loads(await self._ask("gpt-4.1", PLANNER, question)))

    @agentops.agent("researcher")
    async def research(self, question: str) -> str:
        """Answer one question from the library."""
        messages: list[Any] = [{"role": "system", "content": RESEARCHER}, {"role": "user", "content": question}]
        for _ in range(8):
            reply = await self._client.chat.completions.create(model="gpt-4.1-mini", messages=messages, tools=SCHEMAS)
            message = reply.choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            if not message.tool_calls:
                return message.content or ""
            messages += await asyncio.gather(*map(use, message.tool_calls))
        return "nothing was found"

    @agentops.agent("critic")
    async def criticise(self, findings: str) -> str:
        """Agree, or say what is still open."""
        return await self._ask("o4-mini", CRITIC, findings)

    @agentops.agent("writer")
    async def write(self, findings: str) -> str:
        """Write the recommendation, and show it word by word."""
        messages = [{"role": "system", "content": WRITER}, {"role": "user", "content": findings}]
        answer = ""
        stream = await self._client.chat.completions.create(
            model="gpt-4.1", messages=messages, stream=True, stream_options={"include_usage": True}
        )
        async for chunk in stream:
            word = (chunk.choices[0].delta.content or "") if chunk.choices else ""
            print(word, end="", flush=True)
            answer += word
        print("\n")
        return answer

    async def _ask(self, model: str, role: str, question: str) -> str:
        messages = [{"role": "system", "content": role}, {"role": "user", "content": question}]
        reply = await self._client.chat.completions.create(model=model, messages=messages)
        return reply.choices[0].message.content or ""


def stand_in(body: dict[str, Any]) -> dict[str, Any]:
    """What the stand-in answers: it knows who asks by the system message, and how far they are by what they have."""
    role, question, *turns = (str(message.get("content")) for message in body["messages"])
    if role == PLANNER:
        return text(json.dumps(["What does a power cut do to many small writes?", "How fast is a sum over a year?"]))
    if role == RESEARCHER:
        return _research(question, turns)
    if role == CRITIC and "while the loggers write" in question:
        return text("AGREED")
    if role == CRITIC:
        return text("OBJECTION: Can a report run while the loggers write?")
    return text(
        "Use SQLite on the ships and DuckDB in the office. SQLite in write-ahead log mode takes small writes, lets "
        "readers go on and recovers by itself after a power cut (sqlite-wal). For the reports DuckDB reads only the "
        "columns that a sum names (duckdb-columns), but while one process writes its file no other can read it "
        "(duckdb-processes); so let it read the ships' SQLite files through its extension."
    )


def _research(question: str, turns: list[str]) -> dict[str, Any]:
    """The next step of a researcher."""
    if "power cut" in question:
        if not turns:
            return calls(("search_library", {"words": "power writer log"}))
        if len(turns) == 2:
            return calls(("read_page", {"name": "ships"}), ("read_page", {"name": "sqlite-wal"}))
        if "TimeoutError" in turns[-1]:
            return calls(("read_page", {"name": "sqlite-wal"}))
        return text(
            "SQLite in write-ahead log mode appends each write and recovers by itself after a power cut, which the "
            "ships have once a month. Sources: ships, sqlite-wal."
        )
    if "sum over a year" in question:
        if not turns:
            return calls(("search_library", {"words": "sum columns"}))
        if len(turns) == 2:
            return calls(("read_page", {"name": "sqlite-rows"}), ("read_page", {"name": "duckdb-columns"}))
        return text(
            "DuckDB reads only the columns of the sum and skips blocks; SQLite reads whole rows, 1.3 billion of them. "
            "Sources: duckdb-columns, sqlite-rows."
        )
    if not turns:
        return calls(("read_page", {"name": "duckdb-processes"}))
    return text(
        "With SQLite yes. With DuckDB no: a report cannot run while the loggers write, because no other process can "
        "read the file then. DuckDB can read SQLite files, though. Source: duckdb-processes."
    )


async def main(client: AsyncOpenAI) -> None:
    """Run the team in a session of its own."""
    with agentops.session(name="research_team", tags=["demo", "research"]) as session:
        await Team(client).answer(QUESTION)
        agentops.score("sources named", True, "every finding names a page of the library")
    print(f"session {session.session_id}")


if __name__ == "__main__":
    agentops.init(auto_start_session=False, service_name="research")
    if os.environ.get("OPENAI_API_KEY", "none") not in ("", "none"):  # the key of openai_server.py, which plays no team
        asyncio.run(main(AsyncOpenAI()))
    else:
        print("No key of OpenAI is set: a stand-in on this machine answers instead of OpenAI.\n")
        with OpenAIServer(latency=0.15, answer=stand_in) as server:
            asyncio.run(main(AsyncOpenAI(base_url=server.url, api_key="none")))
