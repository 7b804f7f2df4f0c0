-- name: buckets
-- The buckets whose log is not empty.
SELECT bucket FROM positions WHERE position > 0 ORDER BY bucket;

-- name: log_of_bucket
-- The log of a bucket in order, without the events of erased members, whose data has been deleted.
SELECT bucket, position, event_id, event_key, org_id, member_id, user_id, kind, trigger, occurred_at, received_at,
    source, program_version, payload, outcome, state
FROM events WHERE bucket = $1 AND NOT EXISTS (
    SELECT FROM members AS m WHERE (m.bucket, m.member_id) = (events.bucket, events.member_id) AND erased_at IS NOT NULL
) ORDER BY position;

-- name: transactions_of_bucket
-- A bucket's transactions, in the order of its log.
SELECT member_id, transaction_id, amount, balance_after FROM transactions AS t WHERE bucket = $1 AND NOT EXISTS (
    SELECT FROM members AS m WHERE (m.bucket, m.member_id) = (t.bucket, t.member_id) AND erased_at IS NOT NULL
) ORDER BY position, ordinal;
