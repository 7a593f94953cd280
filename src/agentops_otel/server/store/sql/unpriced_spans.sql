SELECT
    p.id, p.session, p.operation, p.provider,
    p.input_tokens, p.output_tokens, p.cache_read_tokens, p.cache_write_tokens, p.reasoning_tokens,
    p.input_audio_tokens, p.output_audio_tokens, p.input_text_tokens, p.input_image_tokens,
    p.input_video_tokens, p.output_text_tokens, p.output_image_tokens,
    p.missing_tokens
FROM span p
WHERE p.kind = 'llm' AND p.model = ? AND (p.cost IS NULL OR p.price_table = 'override:store')
