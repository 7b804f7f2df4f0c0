-- name: state
-- Whether the database accepts writes, how many workers run, and when the oldest waiting event arrived.
SELECT current_setting('transaction_read_only') = 'off' AS writable,
    (SELECT count(*) FROM workers) AS workers, (SELECT max(seen_at) FROM workers) AS worker_seen_at,
    (SELECT min(received_at) FROM (SELECT received_at FROM inbox ORDER BY bucket, inbox_id LIMIT 1000) AS oldest)
        AS oldest_waiting_at;

-- name: waiting
-- Whether an organisation has events that wait to be decided.
SELECT EXISTS (SELECT FROM inbox WHERE org_id = $1);

-- name: months
-- The state of each table's monthly partitions: the number of rows outside of them (counted up to 100,000), whether the
-- current month has one, and how many exist for later months.
WITH outside AS (
    SELECT 'events' AS name, (SELECT count(*) FROM (SELECT FROM events_rest LIMIT 100000) AS rest) AS rows
    UNION ALL SELECT 'transactions', (SELECT count(*) FROM (SELECT FROM transactions_rest LIMIT 100000) AS rest)
), made AS (
    SELECT inhparent::regclass::text AS name, pg_get_expr(relpartbound, oid) AS bounds
    FROM pg_inherits JOIN pg_class ON oid = inhrelid
    WHERE inhparent IN ('events'::regclass, 'transactions'::regclass)
), ranges AS (
    SELECT name, substring(bounds FROM 'FROM \(''([^'']+)''\)')::timestamptz AS first,
        substring(bounds FROM 'TO \(''([^'']+)''\)')::timestamptz AS following
    FROM made WHERE bounds <> 'DEFAULT'
)
SELECT name AS table, rows AS outside, EXISTS (
    SELECT FROM ranges AS r WHERE r.name = outside.name AND coalesce(first <= now(), true) AND coalesce(following > now(), true)
) AS present, (SELECT count(*) FROM ranges AS r WHERE r.name = outside.name AND first > now()) AS ahead
FROM outside ORDER BY name;

-- name: chores_left_out
-- The number of documents whose chores are skipped for now, because they raised or ended a process, by kind.
SELECT kind, count(*) AS documents FROM suspects
WHERE kind <> ALL($1::text[]) AND tries >= $2 AND noted_at > now() - interval '10 minutes' GROUP BY kind ORDER BY kind;
