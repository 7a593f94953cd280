SELECT
    p.trace_id, p.span_id, p.parent_id, p.session_id, p.kind, p.name, p.label, p.start_ns, p.end_ns, p.status,
    p.status_message, p.operation, p.provider, p.model, p.request_model, p.response_id, p.input_tokens,
    p.output_tokens, p.cache_read_tokens, p.cache_write_tokens, p.reasoning_tokens, p.input_audio_tokens,
    p.output_audio_tokens, p.input_text_tokens, p.input_image_tokens, p.input_video_tokens,
    p.output_text_tokens, p.output_image_tokens, p.missing_tokens, p.cost, p.cost_source, p.price_table,
    p.first_token_ns, p.finish_reasons, p.outcome, p.retries, p.server, p.tool_call_id, p.arguments_digest,
    p.agent, p.error_type, p.error_message, p.trigger_id, p.asked, p.answered, p.calls, p.tags, p.end_state,
    p.end_reason, p.session_name, p.video, p.dropped_spans, p.replayed, p.dialect, o.service, o.host, o.pid,
    o.runtime, o.instance, o.sdk, o.resource, o.scope, o.scope_version, b.data, p.project
FROM span p
JOIN source o ON o.id = p.source
LEFT JOIN body b ON b.span = p.id AND (:chosen IS NULL OR p.span_id IN (SELECT value FROM json_each(:chosen)))
WHERE p.session = :session
ORDER BY p.start_ns, p.trace_id, p.span_id
