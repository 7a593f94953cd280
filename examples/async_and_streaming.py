"""Three customers at once, each in a session of its own, each answered by a stream.

Run `OPENAI_API_KEY=sk-... python examples/async_and_streaming.py`.
"""

from __future__ import annotations

import asyncio

from openai import AsyncOpenAI

import agentops_otel as agentops


@agentops.tool
async def look_up(customer: str) -> str:
    """Find out what the customer has bought."""
    await asyncio.sleep(0.01)
    return f"{customer} has bought a teapot."


async def serve(client: AsyncOpenAI, customer: str) -> str:
    """Answer one customer; what other tasks do at the same time stays out of this session."""
    async with agentops.session(name=f"customer {customer}", tags=["async"]):
        known = await look_up(customer)
        stream = await client.chat.completions.create(
            model="gpt-4.1-mini",
            messages=[{"role": "user", "content": f"{known} Suggest a tea to {customer}."}],
            stream=True,
            stream_options={"include_usage": True},
        )
        words = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        return "".join(words)


async def main() -> None:
    """Serve all of them."""
    agentops.init(auto_start_session=False)
    client = AsyncOpenAI()
    for answer in await asyncio.gather(*(serve(client, name) for name in ("Ada", "Grace", "Edsger"))):
        print(answer)


if __name__ == "__main__":
    asyncio.run(main())
