SELECT l.content, s.session_id, l.span_id, l.trace_id, l.place, l.start_ns, p.kind, p.label
FROM (
    SELECT rowid FROM text_index WHERE text_index MATCH ? ORDER BY rowid DESC LIMIT 5000
) f
JOIN session_content l ON l.content = f.rowid
JOIN session s ON s.id = l.session
LEFT JOIN span p ON p.trace_id = l.trace_id AND p.span_id = l.span_id AND p.project = s.project
WHERE /*where*/
ORDER BY l.start_ns DESC, l.content DESC
LIMIT ?
