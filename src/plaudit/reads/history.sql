-- name: events
-- A member's processed events within a period, in chronological order, after a position.
SELECT position, event_id, occurred_at, outcome FROM events
WHERE bucket = $1 AND member_id = $2 AND state = 'processed' AND occurred_at >= $3 AND occurred_at < $4
    AND (occurred_at, position) > ($5, $6)
ORDER BY occurred_at, position LIMIT $7;

-- name: transactions
-- The transactions of these events of a member, in order.
SELECT position, metric, amount, balance_after, cause_kind, cause_id FROM transactions
WHERE bucket = $1 AND member_id = $2 AND position = ANY($3::bigint[]) AND amount <> 0 ORDER BY position, ordinal;
