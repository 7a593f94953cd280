-- With what percentiles of durations are asked by, so that they are read off the index alone.
DROP INDEX session_duration;
CREATE INDEX session_duration ON session (duration_ns, state, started_ns, project);
