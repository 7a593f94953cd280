SELECT h.content, h.session_id, h.span_id, h.trace_id, h.place, h.start_ns, p.kind, p.label
FROM (
    SELECT l.content, l.span_id, l.trace_id, l.place, l.start_ns, s.session_id, s.project
    FROM (
        SELECT rowid FROM text_index WHERE text_index MATCH ? ORDER BY rowid DESC LIMIT 5000
    ) f
    JOIN session_content l ON l.content = f.rowid
    JOIN session s ON s.id = l.session
    WHERE /*where*/
    ORDER BY l.start_ns DESC, l.content DESC
    LIMIT ?
) h
LEFT JOIN span p ON p.trace_id = h.trace_id AND p.span_id = h.span_id AND p.project = h.project
ORDER BY h.start_ns DESC, h.content DESC
