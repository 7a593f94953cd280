"""What OpenAI's API answers besides chat: shapes of its reference, with numbers of our own."""

from __future__ import annotations

import base64
import hashlib

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
MP3 = b"ID3" + bytes(range(256))
DRAWN = {
    "input_tokens": 50,
    "output_tokens": 4160,
    "total_tokens": 4210,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}
HEARD = {
    "type": "tokens",
    "input_tokens": 114,
    "output_tokens": 31,
    "total_tokens": 145,
    "input_token_details": {"text_tokens": 14, "audio_tokens": 100},
}
RUN = {"prompt_tokens": 123, "completion_tokens": 45, "total_tokens": 168}
TALKED = {
    "total_tokens": 1253,
    "input_tokens": 1132,
    "output_tokens": 121,
    "input_token_details": {
        "text_tokens": 119,
        "audio_tokens": 1013,
        "image_tokens": 0,
        "cached_tokens": 1064,
        "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 1000, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
}


def reference(data: bytes, modality: str, media_type: str | None, **more: str) -> dict[str, object]:
    """What is recorded of a file."""
    name = hashlib.sha256(data).hexdigest()
    return {
        "type": "file",
        "modality": modality,
        "mime_type": media_type,
        "file_id": f"sha256:{name}",
        "bytes": len(data),
        "sha256": name,
        **more,
    }


def images(**fields: object) -> dict[str, object]:
    """Pictures that were made."""
    data = [{"b64_json": base64.b64encode(PNG).decode()}]
    return {"created": 1760000000, "output_format": "png", "data": data, "usage": DRAWN, **fields}


def image_events(kind: str = "image_generation") -> list[object]:
    """The streamed form of `images()`, with one picture that is not complete."""
    picture = {
        "created_at": 1760000000,
        "size": "1024x1024",
        "quality": "high",
        "background": "opaque",
        "output_format": "png",
    }
    data = base64.b64encode(PNG).decode()
    return [
        {"type": f"{kind}.partial_image", "partial_image_index": 0, "b64_json": data[:20], **picture},
        {"type": f"{kind}.completed", "b64_json": data, "usage": DRAWN, **picture},
    ]


def transcript_events() -> list[object]:
    """A transcription piece by piece."""
    return [
        {"type": "transcript.text.delta", "delta": "Good "},
        {"type": "transcript.text.delta", "delta": "morning"},
        {"type": "transcript.text.done", "text": "Good morning", "usage": HEARD},
    ]


def moderation() -> dict[str, object]:
    """A text that is harmful in one way."""
    result = {
        "flagged": True,
        "categories": {"violence": True, "hate": False},
        "category_scores": {"violence": 0.9, "hate": 0.1},
    }
    return {"id": "modr-1", "model": "omni-moderation-2024-09-26", "results": [result]}


def batch(status: str = "validating") -> dict[str, object]:
    """A batch as it was just created."""
    return {
        "id": "batch_1",
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "errors": None,
        "input_file_id": "file-1",
        "completion_window": "24h",
        "status": status,
        "created_at": 1760000000,
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "usage": {
            "input_tokens": 0,
            "output_tokens": 0,
            "total_tokens": 0,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def found() -> dict[str, object]:
    """What a search has found."""
    content = [{"type": "text", "text": "Refunds take five days."}]
    data = [
        {"file_id": f"file-{number}", "filename": "a.md", "score": score, "attributes": {}, "content": content}
        for number, score in ((1, 0.95), (2, 0.5))
    ]
    return {
        "object": "vector_store.search_results.page",
        "search_query": ["refunds"],
        "data": data,
        "has_more": False,
        "next_page": None,
    }


def run(status: str = "queued", **fields: object) -> dict[str, object]:
    """A run of an assistant."""
    return {
        "id": "run_1",
        "object": "thread.run",
        "created_at": 1760000000,
        "assistant_id": "asst_1",
        "thread_id": "thread_1",
        "status": status,
        "model": "gpt-4o",
        "instructions": "Be short",
        "tools": [],
        "metadata": {},
        "parallel_tool_calls": True,
        "usage": None,
        **fields,
    }


def run_events() -> list[object]:
    """A streamed run with one message."""
    message = {
        "id": "msg_1",
        "object": "thread.message",
        "created_at": 1760000000,
        "assistant_id": "asst_1",
        "thread_id": "thread_1",
        "run_id": "run_1",
        "role": "assistant",
        "status": "in_progress",
        "content": [],
        "metadata": {},
        "attachments": [],
    }
    whole = [{"type": "text", "text": {"value": "In Paris", "annotations": []}}]
    pieces = [
        {
            "id": "msg_1",
            "object": "thread.message.delta",
            "delta": {"content": [{"index": 0, "type": "text", "text": {"value": text}}]},
        }
        for text in ("In ", "Paris")
    ]
    return [
        ("thread.run.created", run()),
        ("thread.run.in_progress", run("in_progress")),
        ("thread.message.created", message),
        *[("thread.message.delta", piece) for piece in pieces],
        ("thread.message.completed", {**message, "status": "completed", "content": whole}),
        ("thread.run.completed", run("completed", usage=RUN)),
        "[DONE]",
    ]
