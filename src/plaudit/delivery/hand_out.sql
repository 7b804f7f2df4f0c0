-- name: with_news
-- The buckets that have messages to hand out.
SELECT bucket FROM outbox_handed AS handed WHERE EXISTS (
    SELECT FROM outbox WHERE outbox.bucket = handed.bucket
        AND (outbox.position, outbox.ordinal) > (handed.position, handed.ordinal)
);

-- name: lock_handed
-- Lock buckets that no other process hands out, and return how far each was handed out.
SELECT bucket, position, ordinal FROM outbox_handed WHERE bucket = ANY($1::smallint[])
ORDER BY bucket FOR UPDATE SKIP LOCKED;

-- name: after
-- The next messages of buckets: each bucket's in its own order, and different buckets' in chronological order.
SELECT * FROM (
    SELECT next.*, max(created_at) OVER (PARTITION BY bucket ORDER BY position, ordinal) AS seen
    FROM unnest($1::smallint[], $2::bigint[], $3::integer[]) AS place (in_bucket, at_position, at_ordinal)
    CROSS JOIN LATERAL (
        SELECT bucket, position, ordinal, message_id, org_id, member_id, type, only_to, payload, created_at FROM outbox
        WHERE bucket = in_bucket AND (position, ordinal) > (at_position, at_ordinal)
        ORDER BY position, ordinal LIMIT $4
    ) AS next
) AS found
ORDER BY seen, bucket, position, ordinal;

-- name: numbered_before
-- The numbers of messages that were in the feed before it was numbered by buckets.
SELECT message_id, number FROM feed WHERE message_id = ANY($1::uuid[]) AND earlier_xid IS NOT NULL;

-- name: count_on
-- Advance the last numbers of feeds by the counts of new messages. The rows stay locked until the commit.
INSERT INTO feed_ends AS ends (org_id, number) SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS added (org_id, number)
ORDER BY org_id
ON CONFLICT (org_id) DO UPDATE SET number = ends.number + excluded.number
RETURNING org_id, number;

-- name: insert_feed
-- Store messages with their numbers in the feed.
INSERT INTO feed (org_id, number, message_id, created_at)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::timestamptz[]);

-- name: insert_deliveries
-- Queue messages for webhooks.
INSERT INTO deliveries (org_id, webhook_id, message_id, number, member_id, judging, state, created_at, next_at)
SELECT org_id, webhook_id, message_id, number, member_id, judging, 'waiting', $7, $7
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::uuid[], $6::smallint[])
    AS new (org_id, webhook_id, message_id, number, member_id, judging)
ON CONFLICT DO NOTHING;

-- name: move_handed
-- Store how far buckets have been handed out.
UPDATE outbox_handed SET position = reached.position, ordinal = reached.ordinal
FROM unnest($1::smallint[], $2::bigint[], $3::integer[]) AS reached (bucket, position, ordinal)
WHERE outbox_handed.bucket = reached.bucket;
