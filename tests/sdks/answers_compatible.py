"""Answers of Groq, Together, Cerebras and Fireworks, as their references show them, and what is in them.

Dollars are of the price table's rates per million tokens, worked out by hand beside each answer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.fakes import llm_server


class Answer(NamedTuple):
    """One answer.

    Args:
        sdk: whose it is.
        api: the endpoint.
        body: the JSON, or the chunks of a stream.
        tokens: input, output, cached, reasoning; None for what it does not say.
        dollars: None for a model without prices.
        is_plain: whether its usage stands in the usual place of its only part that has one.
    """

    sdk: str
    api: str
    body: Any
    tokens: tuple[int | None, int | None, int | None, int | None]
    dollars: float | None
    is_plain: bool = True


GROQ_SECONDS = {
    "queue_time": 0.0375,
    "prompt_time": 0.011,
    "completion_time": 0.46,
    "total_time": 0.471,
}
TIME_INFO = {**GROQ_SECONDS, "created": 1760000000.5}


def usage(given: int, made: int | None = None, **more: Any) -> dict[str, Any]:
    """Usage as OpenAI's API says it."""
    counts = {"prompt_tokens": given, "total_tokens": given + (made or 0)}
    return {**counts, **({} if made is None else {"completion_tokens": made}), **more}


def chat(model: str, said: dict[str, Any] | None, message: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A chat completion, without a tier unless it is said."""
    answer = llm_server.chat(message, model=model, usage=said, **more)
    return answer if "service_tier" in more else {**answer, "service_tier": None}


def stream(model: str, *last: dict[str, Any]) -> list[Any]:
    """A stream whose last chunks have these fields."""
    head = {"model": model, "service_tier": None}
    chunks = [llm_server.chunk({"role": "assistant", "content": "Par"}, **head)]
    chunks.append(llm_server.chunk({"content": "is"}, **head))
    chunks += [llm_server.chunk({} if "choices" not in more else None, "stop", **{**head, **more}) for more in last]
    return [*chunks, "[DONE]"]


LLAMA, OSS = "llama-3.3-70b-versatile", "openai/gpt-oss-120b"
GROQ = [
    # 1200 * 0.59 + 300 * 0.79
    Answer("groq", "chat", chat(LLAMA, usage(1200, 300, **GROQ_SECONDS)), (1200, 300, None, None), 0.000945),
    # 33 * 0.15 + 4608 * 0.075 + 1817 * 0.6; reasoning and cached tokens are inside
    Answer(
        "groq",
        "chat",
        chat(
            OSS,
            usage(
                4641,
                1817,
                prompt_tokens_details={"cached_tokens": 4608},
                completion_tokens_details={"reasoning_tokens": 1100},
                **GROQ_SECONDS,
            ),
            {"content": "Paris", "reasoning": "France, so Paris"},
            service_tier="on_demand",
            x_groq={"id": "req_2"},
        ),
        (4641, 1817, 4608, 1100),
        0.00144075,
    ),
    # 512 * 0.15: a call without output costs its input
    Answer("groq", "chat", chat(OSS, usage(512, 0)), (512, 0, None, None), 0.0000768),
    # 200 * 0.59 + 8 * 0.79, at Groq's own place, as older releases of its API say it
    Answer(
        "groq",
        "chat",
        stream(LLAMA, {"x_groq": {"id": "req_2", "usage": usage(200, 8, **GROQ_SECONDS)}}),
        (200, 8, None, None),
        0.00012432,
        is_plain=False,
    ),
    # the same at both places is counted once
    Answer(
        "groq",
        "chat",
        stream(
            LLAMA,
            {"x_groq": {"id": "req_2", "usage": usage(200, 8)}},
            {"choices": [], "usage": usage(200, 8), "x_groq": None},
        ),
        (200, 8, None, None),
        0.00012432,
        is_plain=False,
    ),
    # a compound system says what its models have cost together; it has no price of its own
    Answer(
        "groq",
        "chat",
        chat(
            "groq/compound",
            usage(5120, 640),
            usage_breakdown={"models": [{"model": OSS, "usage": usage(5120, 640)}]},
        ),
        (5120, 640, None, None),
        None,
    ),
    Answer("groq", "chat", stream(LLAMA), (None, None, None, None), None, is_plain=False),
]
TURBO, KIMI, GLM = "meta-llama/Llama-3.3-70B-Instruct-Turbo", "moonshotai/Kimi-K3", "zai-org/GLM-5.3"
TOGETHER = [
    # 1000 * 0.88 + 250 * 0.88
    Answer("together", "chat", chat(TURBO, usage(1000, 250)), (1000, 250, None, None), 0.0011),
    # 1000 * 3 + 4000 * 0.3 + 200 * 15, cached tokens beside the totals
    Answer("together", "chat", chat(KIMI, usage(5000, 200, cached_tokens=4000)), (5000, 200, 4000, None), 0.0072),
    # 100 * 1.4 + 900 * 0.26 + 500 * 4.4
    Answer(
        "together",
        "chat",
        chat(
            GLM,
            usage(
                1000,
                500,
                prompt_tokens_details={"cached_tokens": 900},
                completion_tokens_details={"reasoning_tokens": 320},
            ),
            {"content": "Paris", "reasoning": "France, so Paris"},
        ),
        (1000, 500, 900, 320),
        0.002574,
    ),
    # 60 * 0.88 + 12 * 0.88, with the last chunk
    Answer("together", "chat", stream(TURBO, {"usage": usage(60, 12)}), (60, 12, None, None), 0.00006336),
    # 40 * 0.9 + 10 * 0.9
    Answer(
        "together",
        "completions",
        {**llm_server.completion(), "model": "mistralai/Mixtral-8x7B-v0.1", "usage": usage(40, 10)},
        (40, 10, None, None),
        0.000045,
    ),
    # no usage, as its embeddings are answered today
    Answer(
        "together",
        "embeddings",
        {**llm_server.embeddings(), "model": "intfloat/multilingual-e5-large-instruct", "usage": None},
        (None, None, None, None),
        None,
    ),
]
CEREBRAS = [
    # 300 * 0.35 + 100 * 0.75
    Answer(
        "cerebras",
        "chat",
        chat("gpt-oss-120b", usage(300, 100), time_info=TIME_INFO),
        (300, 100, None, None),
        0.00018,
    ),
    # 2048 * 0.35 + 900 * 0.75: what is cached costs as much
    Answer(
        "cerebras",
        "chat",
        chat(
            "gpt-oss-120b",
            usage(
                2048,
                900,
                prompt_tokens_details={"cached_tokens": 1920},
                completion_tokens_details={
                    "accepted_prediction_tokens": 0,
                    "reasoning_tokens": 512,
                    "rejected_prediction_tokens": 0,
                },
            ),
            {"content": "Paris", "reasoning": "France, so Paris"},
            time_info=TIME_INFO,
        ),
        (2048, 900, 1920, 512),
        0.0013918,
    ),
    # 900 * 0.85 + 100 * 1.2
    Answer("cerebras", "chat", chat("llama-3.3-70b", usage(900, 100)), (900, 100, None, None), 0.000885),
    # 100 * 0.1 + 20 * 0.1, with the last chunk
    Answer(
        "cerebras",
        "chat",
        stream("llama3.1-8b", {"usage": usage(100, 20), "time_info": TIME_INFO}),
        (100, 20, None, None),
        0.000012,
    ),
    # 50 * 0.4 + 5 * 0.8
    Answer(
        "cerebras",
        "completions",
        {**llm_server.completion(), "system_fingerprint": "fp_1", "model": "qwen-3-32b", "usage": usage(50, 5)},
        (50, 5, None, None),
        0.000024,
    ),
    Answer("cerebras", "chat", chat("new-model", usage(50, 5)), (50, 5, None, None), None),
]
DEEPSEEK = "accounts/fireworks/models/deepseek-v3p2"
FIREWORKS = [
    # 700 * 0.56 + 300 * 1.68
    Answer("fireworks", "chat", chat(DEEPSEEK, usage(700, 300)), (700, 300, None, None), 0.000896),
    # 424 * 0.56 + 3576 * 0.28 + 96 * 1.68
    Answer(
        "fireworks",
        "chat",
        chat(DEEPSEEK, usage(4000, 96, prompt_tokens_details={"cached_tokens": 3576})),
        (4000, 96, 3576, None),
        0.0014,
    ),
    # 1000 * 3 + 7000 * 0.3 + 1500 * 15
    Answer(
        "fireworks",
        "chat",
        chat(
            "accounts/fireworks/models/kimi-k3",
            usage(8000, 1500, prompt_tokens_details={"cached_tokens": 7000}),
            {"content": "Paris", "reasoning_content": "France, so Paris"},
        ),
        (8000, 1500, 7000, None),
        0.0276,
    ),
    # 20 * 0.07 + 10 * 0.3, with the last chunk
    Answer(
        "fireworks",
        "chat",
        stream(
            "accounts/fireworks/models/gpt-oss-20b",
            {"usage": usage(20, 10), "perf_metrics": {"server-time-to-first-token": "0.09"}},
        ),
        (20, 10, None, None),
        0.0000044,
    ),
    # 80 * 0.2 + 20 * 0.2
    Answer(
        "fireworks",
        "completions",
        {
            **llm_server.completion(),
            "model": "accounts/fireworks/models/llama-v3p1-8b-instruct",
            "usage": usage(80, 20),
        },
        (80, 20, None, None),
        0.00002,
    ),
    # a deployment of one's own is paid by the hour
    Answer("fireworks", "chat", chat("accounts/me/deployments/x", usage(80, 20)), (80, 20, None, None), None),
]
ANSWERS = [*GROQ, *TOGETHER, *CEREBRAS, *FIREWORKS]
