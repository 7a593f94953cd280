SELECT
    (SELECT count(*) FROM session), (SELECT count(*) FROM span),
    (SELECT count(*) FROM content WHERE kind = 'message'), (SELECT min(started_ns) FROM session)
