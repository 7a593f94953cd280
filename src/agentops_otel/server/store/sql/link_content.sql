INSERT INTO session_content (session, content, start_ns, span_id, trace_id, place) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (session, content) DO UPDATE SET
    start_ns = excluded.start_ns, span_id = excluded.span_id, trace_id = excluded.trace_id, place = excluded.place
WHERE (excluded.start_ns, excluded.span_id, excluded.trace_id) < (start_ns, span_id, trace_id)
