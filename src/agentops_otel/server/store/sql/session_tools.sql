SELECT
    tool, calls, failed, recovered, duration_ns, durations_ns, repeated
FROM session_tool
WHERE session = ?
ORDER BY calls DESC, tool
