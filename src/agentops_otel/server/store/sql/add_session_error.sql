INSERT INTO session_error (
    session, position, span_id, trace_id, time_ns, fingerprint, type, message, kind, label, fate,
    recovered_by, repeated, cost_after, agent, next, next_label, next_worked, next_after_ns
)
VALUES (
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)
