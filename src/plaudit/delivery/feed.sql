-- name: after
-- An organisation's messages after a number, in order.
SELECT feed.number, message_id, outbox.org_id, member_id, type, only_to, payload, outbox.created_at
FROM feed JOIN outbox USING (message_id)
WHERE feed.org_id = $1 AND number > $2 AND ($3::timestamptz IS NULL OR feed.created_at >= $3)
ORDER BY number LIMIT $4;

-- name: end_of
-- The last number of a feed, and the message with number $2 if it still exists.
SELECT coalesce((SELECT number FROM feed_ends WHERE org_id = $1), 0) AS number,
    (SELECT message_id FROM feed WHERE org_id = $1 AND number = $2) AS message_id;

-- name: earlier
-- The number of a position in the previous numbering.
SELECT number FROM feed WHERE org_id = $1 AND earlier_xid IS NOT NULL AND (earlier_xid, earlier_ordinal) <= ($2, $3)
ORDER BY earlier_xid DESC, earlier_ordinal DESC LIMIT 1;
