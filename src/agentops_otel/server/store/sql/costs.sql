SELECT
    m.provider, m.model, m.hour / ? * ? AS bucket, sum(m.calls), sum(m.failed),
    sum(m.input_tokens), sum(m.output_tokens), sum(m.cache_read_tokens), sum(m.cache_write_tokens),
    sum(m.reasoning_tokens), sum(m.input_audio_tokens), sum(m.output_audio_tokens), sum(m.input_text_tokens),
    sum(m.input_image_tokens), sum(m.input_video_tokens), sum(m.output_text_tokens),
    sum(m.output_image_tokens),
    total(m.cost), sum(m.unpriced), sum(m.duration_ns), /*times*/, count(DISTINCT m.session), /*by*/
FROM session_model m
/*join*/
WHERE /*where*/
GROUP BY m.provider, m.model, bucket, /*by*/
ORDER BY bucket, total(m.cost) DESC, sum(m.calls) DESC, m.provider, m.model, /*by*/
