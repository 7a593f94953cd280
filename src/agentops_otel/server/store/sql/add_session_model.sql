INSERT INTO session_model (
    session, provider, model, hour, calls, failed, input_tokens, output_tokens, cache_read_tokens,
    cache_write_tokens, reasoning_tokens, input_audio_tokens, output_audio_tokens, input_text_tokens,
    input_image_tokens, input_video_tokens, output_text_tokens, output_image_tokens, cost, unpriced,
    duration_ns, durations_ns, first_token_ns, longest_ns
)
VALUES (
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)
