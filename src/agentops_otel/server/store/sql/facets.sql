WITH chosen AS MATERIALIZED (SELECT s.id, s.state FROM session s WHERE /*where*/)
SELECT * FROM (
    SELECT 'state', state, count(*) AS sessions FROM chosen GROUP BY state ORDER BY sessions DESC, state
)
UNION ALL
SELECT * FROM (
    SELECT 'tag', value, count(*) AS sessions FROM session_tag
    WHERE /*among*/
    GROUP BY value ORDER BY sessions DESC, value LIMIT 50
)
UNION ALL
SELECT * FROM (
    SELECT 'model', model, count(DISTINCT session) AS sessions FROM session_model
    WHERE /*among*/
    GROUP BY model ORDER BY sessions DESC, model LIMIT 50
)
UNION ALL
SELECT * FROM (
    SELECT 'agent', value, count(*) AS sessions FROM session_agent
    WHERE /*among*/
    GROUP BY value ORDER BY sessions DESC, value LIMIT 50
)
UNION ALL
SELECT * FROM (
    SELECT 'tool', tool, count(*) AS sessions FROM session_tool
    WHERE /*among*/
    GROUP BY tool ORDER BY sessions DESC, tool LIMIT 50
)
UNION ALL
SELECT * FROM (
    SELECT 'error', type, count(DISTINCT session) AS sessions FROM session_error
    WHERE /*among*/
    GROUP BY type ORDER BY sessions DESC, type LIMIT 50
)
UNION ALL
SELECT * FROM (
    SELECT 'host', value, count(*) AS sessions FROM session_host
    WHERE /*among*/
    GROUP BY value ORDER BY sessions DESC, value LIMIT 50
)
