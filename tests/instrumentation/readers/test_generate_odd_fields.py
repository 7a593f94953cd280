"""One odd field of Gemini's API costs one field: any JSON in the place of any field of an answer, chunk or request."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops_otel import semconv
from agentops_otel.instrumentation._content import Content
from agentops_otel.instrumentation.readers import embed_content, generate, imagen, usage
from agentops_otel.instrumentation.readers.generate_fold import GenerateFold
from tests.fakes.odd_json import ODD, TYPES, message_facts, paths, replaced
from tests.instrumentation.readers.test_odd_fields import ANY
from tests.sdks import answers_google as google

USER = [
    {"text": "Look"},
    {"inlineData": {"data": google.PNG, "mimeType": "image/png", "displayName": "dot"}},
    {"fileData": {"fileUri": "gs://bucket/x.pdf", "mimeType": "application/pdf"}},
]
MODEL = [
    {"text": "France, so Paris", "thought": True},
    {"text": "Paris"},
    {"functionCall": {"id": "c0", "name": "weather", "args": {"city": "Paris"}}},
    {"functionCall": {"id": "c1", "name": "time", "args": {"zone": "CET"}}},
    {"executableCode": {"language": "PYTHON", "code": "1"}},
    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
    {"toolCall": {"id": "t", "toolType": "GOOGLE_SEARCH_WEB", "args": {}}},
]
TOOL = [
    {
        "functionResponse": {
            "id": "c0",
            "name": "weather",
            "response": {"r": 1},
            "parts": [{"inlineData": {"data": google.PNG}}],
        }
    }
]
ANSWER = google.generated(google.candidate(*MODEL), google.candidate(finish="SAFETY", finishMessage="No.", index=1))
STREAM = [
    *({"candidates": [google.candidate(part, finish=None)], "responseId": "resp_1"} for part in MODEL),
    google.generated(google.candidate({"text": ""})),
]
REQUEST = {
    "contents": [{"role": "user", "parts": USER}, {"role": "model", "parts": MODEL}, {"role": "user", "parts": TOOL}],
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "tools": [{"functionDeclarations": [{"name": "f", "description": "d", "parameters": {}}]}, {"googleSearch": {}}],
    "generationConfig": {
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40.0,
        "candidateCount": 2,
        "maxOutputTokens": 9,
        "stopSequences": ["x"],
        "seed": 3,
        "responseMimeType": "application/json",
        "responseModalities": ["TEXT"],
        "thinkingConfig": {"thinkingLevel": "LOW"},
    },
}
# What a fact is read from: the names of fields, of which any place in an answer counts.
SOURCES = {
    semconv.RESPONSE_ID: ("responseId",),
    semconv.RESPONSE_MODEL: ("modelVersion",),
    semconv.RESPONSE_FINISH_REASONS: ("finishReason",),
    semconv.USAGE_INPUT_TOKENS: ("promptTokenCount",),
    semconv.USAGE_OUTPUT_TOKENS: ("candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount", "finishReason"),
    semconv.USAGE_CACHE_READ_TOKENS: ("cachedContentTokenCount",),
    semconv.USAGE_REASONING_TOKENS: ("thoughtsTokenCount", "finishReason"),
    semconv.USAGE_INPUT_TEXT_TOKENS: ("promptTokensDetails",),
    semconv.USAGE_OUTPUT_TEXT_TOKENS: ("candidatesTokensDetails", "finishReason"),
    "role": (),
    "finish": ("finishReason",),
    "text": ("text", "thought"),
    "reasoning": ("text", "thought"),
    "id": ("id",),
    "name": ("name", "executableCode"),
    "arguments": ("args", "executableCode"),
}
CONTAINERS = {"candidates", "content", "parts", "index", "error", "promptFeedback", "functionCall"}


def answer_facts(endpoint, answer):
    attributes = {}
    endpoint.response(answer, attributes)
    return attributes | message_facts(semconv.OUTPUT_MESSAGES, endpoint.output(answer, Content(1000)))


def stream_facts(chunks):
    fold = GenerateFold()
    fold.extend(chunks)
    return answer_facts(generate, fold.response())


def spared(fact, path):
    """Whether a fact must survive an odd value in a place."""
    names = [key for key in path if isinstance(key, str)]
    if not names or isinstance(path[-1], int) or names[-1] in CONTAINERS:
        return fact == semconv.RESPONSE_MODEL and bool(names)
    if names[-1] == "usageMetadata":
        return not (isinstance(fact, str) and "usage" in fact)
    if len(names) > 1 and names[-2] in ("parts", "content") and not {"text", "thought"} & {names[-1]}:
        return isinstance(fact, str)  # the only field of a part
    kind = fact if isinstance(fact, str) else fact[2].rpartition(" ")[2]
    return not set(names) & set(SOURCES.get(kind, ()))


@pytest.mark.parametrize(("answer", "read"), [(ANSWER, lambda a: answer_facts(generate, a)), (STREAM, stream_facts)])
def test_every_type_in_every_field(answer, read):
    """Each JSON type in the place of each field of an answer and its stream: the facts that it does not say survive."""
    usual = read(answer)
    for path in paths(answer):
        for odd in TYPES:
            found = read(replaced(answer, path, odd))
            for fact, value in usual.items():
                if spared(fact, path) and not (usage.count(odd) is not None and "usage" in str(fact)):
                    assert found.get(fact) == value, (fact, path, odd)


def request_facts(body):
    """The attributes of a request, and its messages."""
    attributes, messages = {}, {}
    generate.request(body, attributes)
    content = Content(1000)
    generate.prompt(body, content, messages)
    given = messages.pop(semconv.INPUT_MESSAGES, [])
    return attributes | content.encoded(messages), given


def test_an_odd_field_of_a_request_costs_itself():
    """A setting of any type loses itself alone, a message's field only what is in that message."""
    usual, said = request_facts(REQUEST)

    @settings(ANY)
    @given(st.sampled_from([path for path in paths(REQUEST) if len(path) > 1]), ODD)
    def check(path, odd):
        found, messages = request_facts(replaced(REQUEST, path, odd))
        in_messages = path[0] == "contents"
        assert sum(found.get(fact) != value for fact, value in usual.items()) <= (0 if in_messages else 1)
        assert [each for each in said if each not in messages] in ([], [said[path[1]]] if in_messages else [])

    check()


OTHERS = {
    "embeddings": (embed_content, google.embedded()),
    "predict": (embed_content, google.predicted(3, 4)),
    "pictures": (
        imagen,
        {"predictions": [{"bytesBase64Encoded": google.PNG, "mimeType": "image/png"}, {"raiFilteredReason": "No."}]},
    ),
}
ASKED = {
    "embeddings": (embed_content, {"requests": [{"content": {"parts": USER}}], "content": {"parts": USER}}),
    "predict": (embed_content, {"instances": [{"content": "Paris"}]}),
    "pictures": (
        imagen,
        {
            "instances": [{"prompt": "cat", "image": {"gcsUri": "x"}, "referenceImages": [{"referenceImage": {}}]}],
            "parameters": {"sampleCount": 2, "seed": 1},
        },
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_odd_answers_of_the_other_endpoints(kind):
    """No field of an answer, of whatever type, makes a reader fail."""
    endpoint, answer = OTHERS[kind]

    @settings(ANY)
    @given(st.sampled_from(list(paths(answer))), ODD)
    def check(path, odd):
        answer_facts(endpoint, replaced(answer, path, odd))

    check()


@pytest.mark.parametrize("kind", ASKED)
def test_odd_requests_of_the_other_endpoints(kind):
    """No field of a request, of whatever type, makes a reader fail."""
    endpoint, body = ASKED[kind]

    @settings(ANY)
    @given(st.sampled_from(list(paths(body))), ODD)
    def check(path, odd):
        attributes, content = {}, Content(1000)
        endpoint.request(replaced(body, path, odd), attributes)
        endpoint.prompt(replaced(body, path, odd), content, attributes)

    check()
