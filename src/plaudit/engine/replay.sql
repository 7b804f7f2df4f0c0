-- name: log_of_bucket
-- The log of a bucket, in its order.
SELECT bucket, position, event_id, event_key, org_id, member_id, user_id, kind, trigger, occurred_at, received_at,
    source, program_version, payload, outcome, state
FROM events WHERE bucket = $1 ORDER BY position;

-- name: transactions_of_bucket
-- The ids of a bucket's transactions, in the order of its log.
SELECT transaction_id, amount, balance_after FROM transactions WHERE bucket = $1 ORDER BY position, ordinal;
