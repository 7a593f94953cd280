INSERT INTO session_tool (
    session, tool, calls, failed, recovered, duration_ns, durations_ns, repeated, longest_ns
)
VALUES (
    ?, ?, ?, ?, ?, ?, ?, ?, ?
)
