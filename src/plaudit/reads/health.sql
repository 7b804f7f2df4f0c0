-- name: state
-- Whether the server takes writes, whether workers are alive, and since when the oldest event waits.
SELECT current_setting('transaction_read_only') = 'off' AS writable,
    (SELECT count(*) FROM workers) AS workers, (SELECT max(seen_at) FROM workers) AS worker_seen_at,
    (SELECT min(received_at) FROM (SELECT received_at FROM inbox ORDER BY bucket, inbox_id LIMIT 1000) AS oldest)
        AS oldest_waiting_at;

-- name: waiting
-- Whether anything of an organisation waits to be decided.
SELECT EXISTS (SELECT FROM inbox WHERE org_id = $1);
