-- Text ids are hex as everywhere else. Amounts are US dollars, times nanoseconds. Lists are JSON.

CREATE TABLE project (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE api_key (
    key_id TEXT PRIMARY KEY,
    project INTEGER NOT NULL,
    hash BLOB NOT NULL,
    created_ns INTEGER NOT NULL,
    revoked_ns INTEGER
) WITHOUT ROWID;

CREATE TABLE price (
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    input REAL NOT NULL,
    output REAL NOT NULL,
    cache_read REAL,
    cache_write REAL,
    set_ns INTEGER NOT NULL,
    PRIMARY KEY (provider, model)
) WITHOUT ROWID;

-- Which session a trace belongs to: the one that was said first, by the sender's clock; else the trace is the session.
CREATE TABLE trace (
    project INTEGER NOT NULL,
    trace_id TEXT NOT NULL,
    session_id TEXT,
    said_ns INTEGER,
    PRIMARY KEY (project, trace_id)
) WITHOUT ROWID;

-- A resource and scope, once for all spans that name it.
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    service TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER,
    runtime TEXT NOT NULL,
    instance TEXT NOT NULL,
    sdk TEXT NOT NULL,
    scope TEXT NOT NULL,
    scope_version TEXT NOT NULL,
    resource BLOB NOT NULL
);

CREATE TABLE span (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    session INTEGER NOT NULL,
    source INTEGER NOT NULL,
    size INTEGER NOT NULL,
    digest BLOB NOT NULL,
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    parent_id TEXT,
    session_id TEXT,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER,
    status TEXT NOT NULL,
    status_message TEXT NOT NULL,
    operation TEXT,
    provider TEXT,
    model TEXT,
    request_model TEXT,
    response_id TEXT,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cache_read_tokens INTEGER,
    cache_write_tokens INTEGER,
    reasoning_tokens INTEGER,
    input_audio_tokens INTEGER,
    output_audio_tokens INTEGER,
    input_text_tokens INTEGER,
    input_image_tokens INTEGER,
    input_video_tokens INTEGER,
    output_text_tokens INTEGER,
    output_image_tokens INTEGER,
    missing_tokens TEXT,
    cost REAL,
    cost_source TEXT,
    price_table TEXT,
    first_token_ns INTEGER,
    finish_reasons TEXT,
    outcome TEXT,
    retries INTEGER NOT NULL,
    server TEXT,
    tool_call_id TEXT,
    arguments_digest TEXT,
    agent TEXT,
    error_type TEXT,
    error_message TEXT,
    trigger_id TEXT,
    asked TEXT,
    answered TEXT,
    calls TEXT,
    tags TEXT,
    end_state TEXT,
    end_reason TEXT,
    session_name TEXT,
    video TEXT,
    dropped_spans INTEGER NOT NULL,
    replayed INTEGER NOT NULL,
    dialect TEXT NOT NULL
);
CREATE UNIQUE INDEX span_key ON span (trace_id, span_id, project);
CREATE INDEX span_session ON span (session, start_ns);
CREATE INDEX span_source ON span (source);
CREATE INDEX span_unpriced ON span (model) WHERE kind = 'llm' AND (cost IS NULL OR price_table = 'override:store');

CREATE TABLE body (
    span INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);

-- A message, a tool's arguments or result, an error: each once in a project.
CREATE TABLE content (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    digest BLOB NOT NULL,
    kind TEXT NOT NULL,
    data BLOB NOT NULL
);
CREATE UNIQUE INDEX content_key ON content (digest, project);

-- The contents of a session, and where each stands first.
CREATE TABLE session_content (
    session INTEGER NOT NULL,
    content INTEGER NOT NULL,
    start_ns INTEGER NOT NULL,
    span_id TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    place TEXT NOT NULL,
    PRIMARY KEY (session, content)
) WITHOUT ROWID;
CREATE INDEX session_content_content ON session_content (content);

CREATE VIEW document AS SELECT id, searchable(data, kind) AS text FROM content;
CREATE VIRTUAL TABLE text_index USING fts5 (text, content = 'document', content_rowid = 'id', tokenize = 'unicode61');

CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    key BLOB NOT NULL,
    time_ns INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE UNIQUE INDEX event_key ON event (session, key);

CREATE TABLE score (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    session_key TEXT NOT NULL,
    digest BLOB NOT NULL,
    session_id TEXT,
    trace_id TEXT NOT NULL,
    span_id TEXT,
    name TEXT NOT NULL,
    time_ns INTEGER NOT NULL,
    value REAL,
    label TEXT,
    comment TEXT
);
CREATE UNIQUE INDEX score_key ON score (project, session_key, digest);
CREATE INDEX score_trace ON score (project, trace_id);

-- What follows is made from the rows above by summarize(), and can be made again.
CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    session_id TEXT NOT NULL,
    trace_id TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT 'running',
    name TEXT NOT NULL DEFAULT '',
    started_ns INTEGER NOT NULL DEFAULT 0,
    last_ns INTEGER NOT NULL DEFAULT 0,
    ended INTEGER NOT NULL DEFAULT 0,
    heartbeat_ns INTEGER,
    duration_ns INTEGER NOT NULL DEFAULT 0,
    llm_ns INTEGER NOT NULL DEFAULT 0,
    tool_ns INTEGER NOT NULL DEFAULT 0,
    own_ns INTEGER NOT NULL DEFAULT 0,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    cache_read_tokens INTEGER NOT NULL DEFAULT 0,
    cache_write_tokens INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens INTEGER NOT NULL DEFAULT 0,
    input_audio_tokens INTEGER NOT NULL DEFAULT 0,
    output_audio_tokens INTEGER NOT NULL DEFAULT 0,
    input_text_tokens INTEGER NOT NULL DEFAULT 0,
    input_image_tokens INTEGER NOT NULL DEFAULT 0,
    input_video_tokens INTEGER NOT NULL DEFAULT 0,
    output_text_tokens INTEGER NOT NULL DEFAULT 0,
    output_image_tokens INTEGER NOT NULL DEFAULT 0,
    cached_share REAL NOT NULL DEFAULT 0,
    cost REAL NOT NULL DEFAULT 0,
    cost_rank REAL NOT NULL DEFAULT 0,
    priced_calls INTEGER NOT NULL DEFAULT 0,
    unpriced_calls INTEGER NOT NULL DEFAULT 0,
    llm_calls INTEGER NOT NULL DEFAULT 0,
    tool_calls INTEGER NOT NULL DEFAULT 0,
    agents INTEGER NOT NULL DEFAULT 0,
    actions INTEGER NOT NULL DEFAULT 0,
    spans INTEGER NOT NULL DEFAULT 0,
    open_spans INTEGER NOT NULL DEFAULT 0,
    fatal_errors INTEGER NOT NULL DEFAULT 0,
    recovered_errors INTEGER NOT NULL DEFAULT 0,
    open_errors INTEGER NOT NULL DEFAULT 0,
    error_rank INTEGER NOT NULL DEFAULT 0,
    score_rank REAL NOT NULL DEFAULT 0,
    dropped_spans INTEGER NOT NULL DEFAULT 0,
    replayed INTEGER NOT NULL DEFAULT 0,
    summarized_ns INTEGER NOT NULL DEFAULT 0,
    stale INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX session_key ON session (project, session_id);
CREATE INDEX session_started ON session (started_ns);
CREATE INDEX session_last ON session (last_ns);
CREATE INDEX session_duration ON session (duration_ns);
CREATE INDEX session_llm ON session (llm_calls);
CREATE INDEX session_tools ON session (tool_calls);
CREATE INDEX session_in ON session (input_tokens);
CREATE INDEX session_cached ON session (cached_share);
CREATE INDEX session_out ON session (output_tokens);
CREATE INDEX session_cost ON session (cost_rank);
CREATE INDEX session_errors ON session (error_rank);
CREATE INDEX session_score ON session (score_rank);
CREATE INDEX session_running ON session (last_ns) WHERE state = 'running';
CREATE INDEX session_stale ON session (id) WHERE stale;

-- Apart, so that counting many sessions reads few pages.
CREATE TABLE session_text (
    session INTEGER PRIMARY KEY,
    asked TEXT NOT NULL,
    ending TEXT NOT NULL,
    ending_since_ns INTEGER,
    reason TEXT,
    strip TEXT NOT NULL,
    agent_names TEXT NOT NULL,
    tags TEXT NOT NULL,
    processes TEXT NOT NULL,
    sdks TEXT NOT NULL,
    video TEXT
);

CREATE TABLE session_model (
    session INTEGER NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    hour INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    input_audio_tokens INTEGER NOT NULL,
    output_audio_tokens INTEGER NOT NULL,
    input_text_tokens INTEGER NOT NULL,
    input_image_tokens INTEGER NOT NULL,
    input_video_tokens INTEGER NOT NULL,
    output_text_tokens INTEGER NOT NULL,
    output_image_tokens INTEGER NOT NULL,
    cost REAL NOT NULL,
    unpriced INTEGER NOT NULL,
    duration_ns INTEGER NOT NULL,
    durations_ns TEXT,
    first_token_ns TEXT,
    longest_ns INTEGER NOT NULL,
    PRIMARY KEY (session, provider, model, hour)
) WITHOUT ROWID;
CREATE INDEX session_model_model ON session_model (model);

CREATE TABLE session_tool (
    session INTEGER NOT NULL,
    tool TEXT NOT NULL,
    calls INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    recovered INTEGER NOT NULL,
    duration_ns INTEGER NOT NULL,
    durations_ns TEXT,
    repeated INTEGER NOT NULL,
    longest_ns INTEGER NOT NULL,
    PRIMARY KEY (session, tool)
) WITHOUT ROWID;
CREATE INDEX session_tool_tool ON session_tool (tool);

CREATE TABLE session_error (
    session INTEGER NOT NULL,
    position INTEGER NOT NULL,
    span_id TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    time_ns INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    type TEXT NOT NULL,
    message TEXT NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    fate TEXT NOT NULL,
    recovered_by TEXT,
    repeated INTEGER NOT NULL,
    cost_after REAL,
    agent TEXT,
    next TEXT NOT NULL,
    next_label TEXT NOT NULL,
    next_worked INTEGER,
    next_after_ns INTEGER,
    PRIMARY KEY (session, position)
) WITHOUT ROWID;
CREATE INDEX session_error_fingerprint ON session_error (fingerprint);
CREATE INDEX session_error_type ON session_error (type);

CREATE TABLE session_tag (
    session INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (session, value)
) WITHOUT ROWID;
CREATE INDEX session_tag_value ON session_tag (value);

CREATE TABLE session_agent (
    session INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (session, value)
) WITHOUT ROWID;
CREATE INDEX session_agent_value ON session_agent (value);

CREATE TABLE session_host (
    session INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (session, value)
) WITHOUT ROWID;
CREATE INDEX session_host_value ON session_host (value);
