"""Every attribute, event and metric name that is written or read: the one place where a wire name is typed.

The GenAI names follow version 1.41 of the OpenTelemetry GenAI conventions. OpenTelemetry's own Python constants for
them are deprecated while the conventions move to a repository of their own, so these are ours. What the conventions
lack (end state, tags, cost, project) lives under ``agentops.*``.
"""

from __future__ import annotations

from typing import Final

# Scope: the instrumentation name of every span and log event made here.
SCOPE_NAME: Final = "agentops_otel"

# Identity: stamped on every span of a session, foreign ones too.
SESSION_ID: Final = "session.id"
SPAN_KIND: Final = "agentops.span.kind"

# Values of ``agentops.span.kind``.
KIND_SESSION: Final = "session"
KIND_AGENT: Final = "agent"
KIND_WORKFLOW: Final = "workflow"
KIND_ACTION: Final = "action"
KIND_TOOL: Final = "tool"
KIND_LLM: Final = "llm"
KIND_ERROR: Final = "error"
KIND_STEP: Final = "step"
KIND_RETRIEVAL: Final = "retrieval"
CALLED_KINDS: Final = frozenset({KIND_SESSION, KIND_AGENT, KIND_WORKFLOW, KIND_TOOL})
"""What a call of a model asks for: a call below one of these is another call, and not the same once more."""

# Session root span.
PROJECT_ID: Final = "agentops.project.id"
SESSION_NAME: Final = "agentops.session.name"
SESSION_TAGS: Final = "agentops.session.tags"
SESSION_END_STATE: Final = "agentops.session.end_state"
SESSION_END_STATE_REASON: Final = "agentops.session.end_state_reason"
SESSION_VIDEO: Final = "agentops.session.video"
SESSION_ROLE: Final = "agentops.session.role"
SESSION_LLM_CALLS: Final = "agentops.session.llm_calls"
SESSION_TOOL_CALLS: Final = "agentops.session.tool_calls"
SESSION_ACTIONS: Final = "agentops.session.actions"
SESSION_ERRORS: Final = "agentops.session.errors"
SESSION_RECOVERED_ERRORS: Final = "agentops.session.recovered_errors"
# Own names on purpose: a backend that sums ``gen_ai.usage.*`` over spans must not count the root.
SESSION_INPUT_TOKENS: Final = "agentops.session.usage.input_tokens"
SESSION_OUTPUT_TOKENS: Final = "agentops.session.usage.output_tokens"
SESSION_CACHE_READ_TOKENS: Final = "agentops.session.usage.cache_read_tokens"
SESSION_CACHE_WRITE_TOKENS: Final = "agentops.session.usage.cache_write_tokens"
SESSION_REASONING_TOKENS: Final = "agentops.session.usage.reasoning_tokens"
SESSION_COST: Final = "agentops.session.cost"
SESSION_UNPRICED_CALLS: Final = "agentops.session.unpriced_calls"
SESSION_OPEN_SPANS: Final = "agentops.session.open_spans"
DROPPED_SPANS: Final = "agentops.dropped_spans"
REPLAYED: Final = "agentops.replayed"

# Log events of the logs signal, with the root's trace and span id.
EVENT_SESSION_START: Final = "session.start"
EVENT_SESSION_JOIN: Final = "agentops.session.join"
EVENT_SESSION_HEARTBEAT: Final = "agentops.session.heartbeat"
EVENT_SESSION_END: Final = "session.end"
ROLE_OWNER: Final = "owner"
ROLE_MEMBER: Final = "member"

# LLM spans: request.
OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
REQUEST_TOP_K: Final = "gen_ai.request.top_k"
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
REQUEST_SEED: Final = "gen_ai.request.seed"
REQUEST_CHOICE_COUNT: Final = "gen_ai.request.choice.count"
REQUEST_ENCODING_FORMATS: Final = "gen_ai.request.encoding_formats"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_REASONING_LEVEL: Final = "gen_ai.request.reasoning.level"
REQUEST_PREVIOUS_RESPONSE_ID: Final = "gen_ai.request.previous_response.id"
REQUEST_STREAM_CURSOR: Final = "gen_ai.request.stream_cursor"
OUTPUT_TYPE: Final = "gen_ai.output.type"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
CONVERSATION_COMPACTED: Final = "gen_ai.conversation.compacted"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
MESSAGES: Final = (SYSTEM_INSTRUCTIONS, TOOL_DEFINITIONS, INPUT_MESSAGES, OUTPUT_MESSAGES)
"""The names of what was said in a call."""
EVENT_OPERATION_DETAILS: Final = "gen_ai.client.inference.operation.details"

# Values of ``gen_ai.operation.name``.
OPERATION_CHAT: Final = "chat"
OPERATION_TEXT_COMPLETION: Final = "text_completion"
OPERATION_EMBEDDINGS: Final = "embeddings"
OPERATION_GENERATE_CONTENT: Final = "generate_content"
OPERATION_RERANK: Final = "rerank"
OPERATION_FETCH_RESPONSE: Final = "fetch_response"
OPERATION_INVOKE_AGENT: Final = "invoke_agent"
OPERATION_INVOKE_WORKFLOW: Final = "invoke_workflow"
OPERATION_EXECUTE_TOOL: Final = "execute_tool"
OPERATION_REALTIME: Final = "realtime_inference"
OPERATION_RETRIEVAL: Final = "retrieval"
OPERATION_MODERATION: Final = "moderation"
OPERATION_CREATE_BATCH: Final = "create_batch"
LLM_OPERATIONS: Final = frozenset({
    OPERATION_CHAT,
    OPERATION_TEXT_COMPLETION,
    OPERATION_EMBEDDINGS,
    OPERATION_GENERATE_CONTENT,
    OPERATION_REALTIME,
})  # fmt: skip

# LLM spans: response.
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_STATUS: Final = "gen_ai.response.status"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
EMBEDDINGS_DIMENSION_COUNT: Final = "gen_ai.embeddings.dimension.count"
RETRIEVAL_TOP_K: Final = "gen_ai.retrieval.top_k"
RETRIEVAL_DOCUMENTS: Final = "gen_ai.retrieval.documents"
DATA_SOURCE_ID: Final = "gen_ai.data_source.id"
RETRIEVAL_QUERY_TEXT: Final = "gen_ai.retrieval.query.text"

# Sessions over one connection.
REALTIME_SESSION_ID: Final = "gen_ai.realtime_session.id"

# LLM spans: usage. Input includes cache reads and writes, output includes reasoning.
USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
USAGE_CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
USAGE_CACHE_CREATION_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
USAGE_CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
USAGE_CACHE_WRITE_1H_TOKENS: Final = "agentops.usage.cache_write_1h.input_tokens"  # the conventions have none
USAGE_REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
USAGE_INPUT_TEXT_TOKENS: Final = "gen_ai.usage.text.input_tokens"
USAGE_INPUT_IMAGE_TOKENS: Final = "gen_ai.usage.image.input_tokens"
USAGE_INPUT_AUDIO_TOKENS: Final = "gen_ai.usage.audio.input_tokens"
USAGE_INPUT_VIDEO_TOKENS: Final = "gen_ai.usage.video.input_tokens"
USAGE_CACHE_READ_AUDIO_TOKENS: Final = "gen_ai.usage.audio.cache_read.input_tokens"
USAGE_CACHE_READ_IMAGE_TOKENS: Final = "gen_ai.usage.image.cache_read.input_tokens"
USAGE_OUTPUT_TEXT_TOKENS: Final = "gen_ai.usage.text.output_tokens"
USAGE_OUTPUT_IMAGE_TOKENS: Final = "gen_ai.usage.image.output_tokens"
USAGE_OUTPUT_VIDEO_TOKENS: Final = "gen_ai.usage.video.output_tokens"
USAGE_OUTPUT_AUDIO_TOKENS: Final = "gen_ai.usage.audio.output_tokens"

# Sound that is paid by its length.
USAGE_AUDIO_SECONDS: Final = "agentops.usage.audio_seconds"
# Documents that are paid by their pages.
USAGE_PAGES: Final = "agentops.usage.pages"
# Searches of the web that a provider makes while it answers, and which are paid one by one.
USAGE_WEB_SEARCHES: Final = "agentops.usage.web_searches"
# Rankings that are paid by their searches.
USAGE_SEARCH_UNITS: Final = "agentops.usage.search_units"

# What is billed, where that is not what the model has read and written: Cohere bills without its own templates.
BILLED_INPUT_TOKENS: Final = "agentops.usage.billed.input_tokens"
BILLED_OUTPUT_TOKENS: Final = "agentops.usage.billed.output_tokens"
BILLED_UNKNOWN: Final = "agentops.usage.billed.unknown"

# Cost (names proposed in the GenAI conventions).
COST_AMOUNT: Final = "gen_ai.usage.cost.amount"
COST_CURRENCY: Final = "gen_ai.usage.cost.currency"
COST_SOURCE: Final = "gen_ai.usage.cost.source"
COST_SOURCE_PROVIDER: Final = "provider"
COST_SOURCE_LOCAL: Final = "local"
PRICE_TABLE: Final = "agentops.price_table"

# LLM spans: transport, errors and what no peer has.
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"
RESEND_COUNT: Final = "http.request.resend_count"
REQUEST_ID: Final = "agentops.request_id"
RATELIMIT_REMAINING_REQUESTS: Final = "agentops.ratelimit.remaining_requests"
RATELIMIT_REMAINING_TOKENS: Final = "agentops.ratelimit.remaining_tokens"
SERVER_QUEUE_TIME: Final = "agentops.server.queue_time"
SERVER_PROMPT_TIME: Final = "agentops.server.prompt_time"
SERVER_COMPLETION_TIME: Final = "agentops.server.completion_time"
STREAM_CHUNKS: Final = "agentops.stream.chunks"
STREAM_OUTCOME: Final = "agentops.stream.outcome"
OUTCOME_COMPLETED: Final = "completed"
OUTCOME_CLOSED: Final = "closed"
OUTCOME_ABANDONED: Final = "abandoned"
OUTCOME_CANCELLED: Final = "cancelled"
OUTCOME_FAILED: Final = "failed"

# OpenAI.
OPENAI_REQUEST_SERVICE_TIER: Final = "openai.request.service_tier"
OPENAI_RESPONSE_SERVICE_TIER: Final = "openai.response.service_tier"
OPENAI_SYSTEM_FINGERPRINT: Final = "openai.response.system_fingerprint"
OPENAI_API_TYPE: Final = "openai.api.type"

# Of other providers.
REQUEST_SERVICE_TIER: Final = "agentops.request.service_tier"
RESPONSE_SERVICE_TIER: Final = "agentops.response.service_tier"
RESPONSE_INFERENCE_GEO: Final = "agentops.response.inference_geo"
RESPONSE_ITERATIONS: Final = "agentops.response.iterations"

# Agents, workflows, tools, actions, errors.
AGENT_NAME: Final = "gen_ai.agent.name"
AGENT_ID: Final = "gen_ai.agent.id"
AGENT_DESCRIPTION: Final = "gen_ai.agent.description"
WORKFLOW_NAME: Final = "gen_ai.workflow.name"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_DESCRIPTION: Final = "gen_ai.tool.description"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_CALL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_CALL_RESULT: Final = "gen_ai.tool.call.result"
ACTION_TYPE: Final = "agentops.action.type"
ACTION_PARAMS: Final = "agentops.action.params"
ACTION_RETURNS: Final = "agentops.action.returns"
ACTION_LOGS: Final = "agentops.action.logs"
ACTION_SCREENSHOT: Final = "agentops.action.screenshot"
ENTITY_INPUT: Final = "agentops.entity.input"
ENTITY_OUTPUT: Final = "agentops.entity.output"
ERROR_CODE: Final = "agentops.error.code"
ERROR_DETAILS: Final = "agentops.error.details"
ERROR_LOGS: Final = "agentops.error.logs"
ERROR_TRIGGER_SPAN_ID: Final = "agentops.error.trigger_span_id"
EVENT_ID: Final = "agentops.event.id"
EVENT_AGENT_ID: Final = "agentops.event.agent_id"
LOGS: Final = "agentops.logs"
CANCELLED: Final = "agentops.cancelled"

# What readers of OpenInference's names show of agents, workflows, actions and sessions: short copies of the above.
OPENINFERENCE_SPAN_KIND: Final = "openinference.span.kind"
OPENINFERENCE_AGENT: Final = "AGENT"
OPENINFERENCE_CHAIN: Final = "CHAIN"
INPUT_VALUE: Final = "input.value"
OUTPUT_VALUE: Final = "output.value"
COPIES: Final = {INPUT_VALUE: (ENTITY_INPUT, ACTION_PARAMS), OUTPUT_VALUE: (ENTITY_OUTPUT, ACTION_RETURNS)}

# Scores.
EVENT_EVALUATION_RESULT: Final = "gen_ai.evaluation.result"
EVALUATION_NAME: Final = "gen_ai.evaluation.name"
EVALUATION_SCORE_VALUE: Final = "gen_ai.evaluation.score.value"
EVALUATION_SCORE_LABEL: Final = "gen_ai.evaluation.score.label"
EVALUATION_EXPLANATION: Final = "gen_ai.evaluation.explanation"

# Exception event (OpenTelemetry semantic conventions for exceptions).
EXCEPTION_EVENT: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"

# Metrics (only with a configured MeterProvider).
METRIC_OPERATION_DURATION: Final = "gen_ai.client.operation.duration"
METRIC_TOKEN_USAGE: Final = "gen_ai.client.token.usage"
METRIC_TIME_PER_OUTPUT_CHUNK: Final = "gen_ai.client.operation.time_per_output_chunk"
METRIC_TIME_TO_FIRST_CHUNK: Final = "gen_ai.client.operation.time_to_first_chunk"
METRIC_SPANS_DROPPED: Final = "agentops.spans.dropped"
TOKEN_TYPE: Final = "gen_ai.token.type"

# Resource.
HOST_CPU_COUNT: Final = "agentops.host.cpu.count"
HOST_MEMORY_TOTAL: Final = "agentops.host.memory.total"
HOST_DISK_TOTAL: Final = "agentops.host.disk.total"
HOST_DISK_FREE: Final = "agentops.host.disk.free"
SDK_VERSION: Final = "agentops.sdk.version"
PYTHON_PACKAGES: Final = "agentops.python.packages"

# How many values were not what OpenTelemetry allows (a name that is no text, a time that is no number) and were turned
# into it.
COERCED: Final = "agentops.coerced"

# Older names of the usage, still written by other instrumentations; read, never written.
OLD_USAGE_INPUT_TOKENS: Final = "gen_ai.usage.prompt_tokens"
OLD_USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.completion_tokens"
OLD_USAGE_CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read_input_tokens"
OLD_USAGE_CACHE_CREATION_TOKENS: Final = "gen_ai.usage.cache_creation_input_tokens"
OLD_USAGE_REASONING_TOKENS: Final = "gen_ai.usage.reasoning_tokens"
OLD_PROVIDER_NAME: Final = "gen_ai.system"
