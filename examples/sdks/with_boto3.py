"""Bedrock in a session: a call of Converse, and a stream.

AWS_REGION=us-east-1 python examples/sdks/with_boto3.py, with credentials as boto3 finds them.
"""

from __future__ import annotations

import boto3

import agentops_otel as agentops

MODEL = "us.amazon.nova-lite-v1:0"

agentops.init(tags=["bedrock"])
client = boto3.client("bedrock-runtime")
messages = [{"role": "user", "content": [{"text": "Capital of France?"}]}]
answer = client.converse(modelId=MODEL, messages=messages, inferenceConfig={"maxTokens": 100})
print(answer["output"]["message"]["content"][0]["text"])

stream = client.converse_stream(modelId=MODEL, messages=messages)["stream"]
print(*(event["contentBlockDelta"]["delta"]["text"] for event in stream if "contentBlockDelta" in event), sep="")
agentops.end_session("Success")
