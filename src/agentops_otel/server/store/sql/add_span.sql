INSERT INTO span (
    id, project, session, source, size, digest, trace_id, span_id, parent_id, session_id, kind, name, label,
    start_ns, end_ns, status, status_message, operation, provider, model, request_model, response_id,
    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, input_audio_tokens,
    output_audio_tokens, input_text_tokens, input_image_tokens, input_video_tokens, output_text_tokens,
    output_image_tokens, missing_tokens, cost, cost_source, price_table, first_token_ns, finish_reasons,
    outcome, retries, server, tool_call_id, arguments_digest, agent, error_type, error_message, trigger_id,
    asked, answered, calls, tags, end_state, end_reason, session_name, video, dropped_spans, replayed, dialect
)
VALUES (
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)
