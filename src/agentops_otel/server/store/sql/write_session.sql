UPDATE session SET
    trace_id = ?, state = ?, name = ?, started_ns = ?, last_ns = ?, ended = ?, heartbeat_ns = ?, duration_ns =
    ?, llm_ns = ?, tool_ns = ?, own_ns = ?, input_tokens = ?, output_tokens = ?, cache_read_tokens = ?,
    cache_write_tokens = ?, reasoning_tokens = ?, input_audio_tokens = ?, output_audio_tokens = ?,
    input_text_tokens = ?, input_image_tokens = ?, input_video_tokens = ?, output_text_tokens = ?,
    output_image_tokens = ?, cached_share = ?, cost = ?, cost_rank = ?, priced_calls = ?, unpriced_calls = ?,
    llm_calls = ?, tool_calls = ?, agents = ?, actions = ?, spans = ?, open_spans = ?, fatal_errors = ?,
    recovered_errors = ?, open_errors = ?, error_rank = ?, score_rank = ?, dropped_spans = ?, replayed = ?,
    summarized_ns = ?, stale = 0
WHERE id = ?
