SELECT
    count(*),
    count(*) FILTER (WHERE s.state = 'running'),
    count(*) FILTER (WHERE s.state = 'success'),
    count(*) FILTER (WHERE s.state = 'fail'),
    count(*) FILTER (WHERE s.state = 'indeterminate'),
    total(s.cost),
    ifnull(sum(s.unpriced_calls), 0),
    ifnull(sum(s.llm_calls), 0),
    ifnull(sum(s.tool_calls), 0),
    ifnull(sum(s.fatal_errors), 0),
    ifnull(sum(s.recovered_errors), 0),
    ifnull(sum(s.open_errors), 0),
    count(*) FILTER (WHERE s.error_rank > 0),
    ifnull(sum(s.duration_ns), 0),
    ifnull(sum(s.input_tokens), 0), ifnull(sum(s.output_tokens), 0), ifnull(sum(s.cache_read_tokens), 0),
    ifnull(sum(s.cache_write_tokens), 0), ifnull(sum(s.reasoning_tokens), 0),
    ifnull(sum(s.input_audio_tokens), 0), ifnull(sum(s.output_audio_tokens), 0),
    ifnull(sum(s.input_text_tokens), 0), ifnull(sum(s.input_image_tokens), 0),
    ifnull(sum(s.input_video_tokens), 0), ifnull(sum(s.output_text_tokens), 0),
    ifnull(sum(s.output_image_tokens), 0)
FROM session s
WHERE /*where*/
