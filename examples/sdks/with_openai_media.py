"""A picture, its description read aloud, and what was heard of that, in one session: each with its tokens and cost.

OPENAI_API_KEY=... python examples/sdks/with_openai_media.py
"""

from __future__ import annotations

import openai

import agentops_otel as agentops

agentops.init(tags=["media"])
client = openai.OpenAI()
picture = client.images.generate(model="gpt-image-1", prompt="A fox in the snow", size="1024x1024")
print(len(picture.data or ()), "picture")

speech = client.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input="A fox in the snow")
with client.audio.transcriptions.with_streaming_response.create(
    model="gpt-4o-transcribe", file=("fox.mp3", speech.content), response_format="json"
) as answer:
    print(answer.parse().text)
agentops.end_session("Success")
