SELECT
    s.session_id, s.trace_id, s.state, s.name, s.started_ns, s.last_ns, s.ended, s.heartbeat_ns, s.llm_ns,
    s.tool_ns, s.own_ns, s.input_tokens, s.output_tokens, s.cache_read_tokens, s.cache_write_tokens,
    s.reasoning_tokens, s.input_audio_tokens, s.output_audio_tokens, s.input_text_tokens,
    s.input_image_tokens, s.input_video_tokens, s.output_text_tokens, s.output_image_tokens, s.cost,
    s.priced_calls, s.unpriced_calls, s.llm_calls, s.tool_calls, s.agents, s.actions, s.spans, s.open_spans,
    s.fatal_errors, s.recovered_errors, s.open_errors, s.dropped_spans, s.replayed, s.id, s.project, t.asked,
    t.ending, t.ending_since_ns, t.reason, t.strip, t.agent_names, t.tags, t.processes, t.sdks, t.video,
    c.sort_key
FROM (
    SELECT s.id, /*key*/ AS sort_key
    FROM session s
    WHERE /*where*/
    ORDER BY /*key*/ /*way*/, s.id /*way*/
    LIMIT ?
) c
JOIN session s ON s.id = c.id
JOIN session_text t ON t.session = c.id
ORDER BY c.sort_key /*way*/, c.id /*way*/
