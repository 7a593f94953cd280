"""Mistral's reading of documents: how to read its requests and answers. It is paid by pages, not by tokens.

API reference: https://docs.mistral.ai/api/endpoint/ocr
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import semconv
from .._content import Content, Message, fields, items
from .._endpoint import Attributes, Failure
from . import embeddings
from .answer import failure, head
from .parts import message_parts
from .usage import count


def request(body: Mapping[str, Any], attributes: Attributes) -> None:
    """What is asked for: the text of the pages, or JSON about the document too."""
    attributes[semconv.OUTPUT_TYPE] = "json" if body.get("document_annotation_format") else "text"


def prompt(body: Mapping[str, Any], content: Content, attributes: Attributes) -> None:
    """The document, as a reference."""
    parts = message_parts(body.get("document"), content)
    if body.get("document_annotation_prompt"):
        parts.append(content.text(body["document_annotation_prompt"]))
    if parts:
        attributes[semconv.INPUT_MESSAGES] = content.complete([content.message("user", parts)])


def response(value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its text."""
    answer = fields(value)
    head(answer, attributes)
    pages = count(fields(answer.get("usage_info")).get("pages_processed"))
    if pages:
        attributes[semconv.USAGE_PAGES] = pages
    return failure(value, answer, "pages")


def output(value: Any, content: Content) -> list[Message]:
    """What was read: the pages, up to the length of one text, their pictures, and the answer about the document."""
    answer = fields(value)
    pages = [fields(page) for page in items(answer.get("pages"))]
    parts = embeddings.parts([page["markdown"] for page in pages if page.get("markdown")], content)
    for picture in (fields(each) for page in pages for each in items(page.get("images"))):
        data = picture.get("image_base64")
        if isinstance(data, str) and data:
            is_link = data.startswith("data:")
            parts.append(content.media("image", data) if is_link else content.blob("image", None, data))
    if answer.get("document_annotation"):
        parts.append(content.text(answer["document_annotation"]))
    return content.complete([content.message("assistant", parts, "stop")]) if parts else []
