INSERT OR REPLACE INTO session_text (
    session, asked, ending, ending_since_ns, reason, strip, agent_names, tags, processes, sdks, video
)
VALUES (
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)
