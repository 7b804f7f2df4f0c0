-- name: partition_ranges
-- The ranges of a table's partitions. (The session's time zone is used both to print the bounds and to parse them.)
SELECT child.relname AS name,
    substring(pg_get_expr(child.relpartbound, child.oid) FROM 'FROM \(''([^'']+)''\)')::timestamptz AS first,
    substring(pg_get_expr(child.relpartbound, child.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz AS following
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = $1::text::regclass AND pg_get_expr(child.relpartbound, child.oid) <> 'DEFAULT';

-- name: events_outside
-- The rows of the default partition, counted by month.
SELECT date_trunc('month', decided_at, 'UTC') AS month, count(*) AS rows FROM events_rest
WHERE decided_at BETWEEN '1900-01-01Z' AND '9999-01-01Z' GROUP BY 1;

-- name: transactions_outside
-- The rows of the default partition, counted by month.
SELECT date_trunc('month', created_at, 'UTC') AS month, count(*) AS rows FROM transactions_rest
WHERE created_at BETWEEN '1900-01-01Z' AND '9999-01-01Z' GROUP BY 1;

-- name: one_at_a_time
-- Only one process at a time changes partitions. The lock ends with the transaction.
SELECT pg_advisory_xact_lock(7152834800139553);

-- name: comment_of
-- The comment on a table.
SELECT obj_description($1::text::regclass, 'pg_class');
