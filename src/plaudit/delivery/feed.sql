-- name: after
-- An organisation's messages, in their order.
SELECT feed.number, message_id, outbox.org_id, member_id, type, only_to, payload, outbox.created_at
FROM feed JOIN outbox USING (message_id)
WHERE feed.org_id = $1 AND number > $2 AND ($3::timestamptz IS NULL OR feed.created_at >= $3)
ORDER BY number LIMIT $4;

-- name: end_of
-- The last number of a feed, and the message that has a number, if it is still there.
SELECT coalesce((SELECT number FROM feed_ends WHERE org_id = $1), 0) AS number,
    (SELECT message_id FROM feed WHERE org_id = $1 AND number = $2) AS message_id;

-- name: earlier
-- Where a place of the numbering before this one leads.
SELECT number FROM feed WHERE org_id = $1 AND earlier_xid IS NOT NULL AND (earlier_xid, earlier_ordinal) <= ($2, $3)
ORDER BY earlier_xid DESC, earlier_ordinal DESC LIMIT 1;
