-- name: deliver_again
-- A message on its way to a webhook, also when it has been delivered or given up.
INSERT INTO deliveries (org_id, webhook_id, message_id, number, member_id, judging, state, created_at, next_at)
VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, $7)
ON CONFLICT (org_id, webhook_id, message_id) DO UPDATE SET state = 'waiting', attempts = 0, judging = excluded.judging,
    created_at = excluded.created_at, next_at = excluded.next_at;

-- name: once_more
-- One that was on its way before, also when it has been delivered or given up.
UPDATE deliveries SET state = 'waiting', attempts = 0, judging = NULL, created_at = $4, next_at = $4
FROM outbox WHERE deliveries.org_id = $1 AND deliveries.webhook_id = $2 AND deliveries.message_id = $3
    AND outbox.message_id = deliveries.message_id;

-- name: take
-- What is due, by turns: each organisation's first, then each one's second; within one by turns of its lanes. Not more
-- than a lane has room for ($4 to $6, $7 where it is not named), or an organisation ($8 and $9, or $10); and not what has
-- something of the same member before it, where a webhook wants the order kept.
WITH RECURSIVE lanes AS (
    (
        SELECT org_id, lane FROM deliveries WHERE state = 'waiting' AND judging IS NULL
        ORDER BY org_id, lane LIMIT 1
    )
    UNION ALL
    SELECT next.org_id, next.lane FROM lanes CROSS JOIN LATERAL (
        SELECT org_id, lane FROM deliveries
        WHERE state = 'waiting' AND judging IS NULL AND (deliveries.org_id, deliveries.lane) > (lanes.org_id, lanes.lane)
        ORDER BY org_id, lane LIMIT 1
    ) AS next
), candidates AS (
    SELECT found.*, row_number() OVER (PARTITION BY found.org_id, found.lane ORDER BY next_at, number) AS turn
    FROM lanes LEFT JOIN unnest($4::uuid[], $5::text[], $6::integer[]) AS known (org_id, lane, room) USING (org_id, lane)
    CROSS JOIN LATERAL (
        SELECT org_id, lane, webhook_id, message_id, next_at, number FROM deliveries AS d
        WHERE d.org_id = lanes.org_id AND d.lane = lanes.lane AND state = 'waiting' AND judging IS NULL AND next_at <= $1
            AND (member_id IS NULL OR NOT EXISTS (
                SELECT FROM deliveries AS e WHERE e.org_id = d.org_id AND e.webhook_id = d.webhook_id
                    AND e.member_id = d.member_id AND e.state = 'waiting' AND e.number < d.number
            ))
        ORDER BY next_at, number LIMIT coalesce(known.room, $7)
    ) AS found
), by_org AS (
    SELECT *, row_number() OVER (PARTITION BY org_id ORDER BY turn, next_at, number) AS turn_of_org FROM candidates
), chosen AS (
    SELECT org_id, webhook_id, message_id FROM by_org
    LEFT JOIN unnest($8::uuid[], $9::integer[]) AS busy (org_id, room) USING (org_id)
    WHERE turn_of_org <= coalesce(busy.room, $10) ORDER BY turn_of_org, next_at, number LIMIT $3
), due AS (
    SELECT d.org_id, d.webhook_id, d.message_id FROM chosen JOIN deliveries AS d USING (org_id, webhook_id, message_id)
    WHERE d.state = 'waiting' AND d.next_at <= $1 FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries SET attempts = attempts + 1, next_at = $2 FROM due LEFT JOIN outbox USING (org_id, message_id)
WHERE (deliveries.org_id, deliveries.webhook_id, deliveries.message_id) = (due.org_id, due.webhook_id, due.message_id)
RETURNING deliveries.org_id, deliveries.webhook_id, deliveries.message_id, outbox.member_id,
    number, attempts, deliveries.created_at AS handed_at, payload;

-- name: keep
-- What is being tried still.
UPDATE deliveries SET next_at = $4 FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS one (org_id, webhook_id, message_id)
WHERE (deliveries.org_id, deliveries.webhook_id, deliveries.message_id) = (one.org_id, one.webhook_id, one.message_id)
    AND state = 'waiting' AND attempts > 0;

-- name: drop
-- A delivery of a message that is no more.
DELETE FROM deliveries WHERE org_id = $1 AND webhook_id = $2 AND message_id = $3;

-- name: note
-- What came of an attempt.
UPDATE deliveries SET state = $4, next_at = $5, tried_at = $6, status = $7, error = $8, milliseconds = $9
WHERE org_id = $1 AND webhook_id = $2 AND message_id = $3;

-- name: note_state
-- Since when a webhook fails, if it does.
UPDATE webhook_states SET failing_since = CASE WHEN $3::timestamptz IS NULL THEN NULL ELSE coalesce(failing_since, $3) END
WHERE org_id = $1 AND webhook_id = $2 RETURNING failing_since;

-- name: secrets
-- A webhook's secrets.
SELECT secret, previous_secret, previous_until FROM webhook_states WHERE org_id = $1 AND webhook_id = $2;

-- name: first_secret
-- A webhook's first secret; if somebody else was faster, theirs.
INSERT INTO webhook_states AS s (org_id, webhook_id, secret) VALUES ($1, $2, $3)
ON CONFLICT (org_id, webhook_id) DO UPDATE SET secret = s.secret
RETURNING secret, previous_secret, previous_until;

-- name: rotate
-- Another secret, and until when the one before it counts.
UPDATE webhook_states SET previous_secret = secret, secret = $3, previous_until = $4
WHERE org_id = $1 AND webhook_id = $2;

-- name: deliveries
-- A webhook's deliveries, newest first.
SELECT d.message_id, number, type, state, attempts, d.created_at, next_at, tried_at, status, error, milliseconds
FROM deliveries AS d JOIN outbox USING (org_id, message_id)
WHERE d.org_id = $1 AND webhook_id = $2 AND judging IS NULL AND number < $3
    AND ($4::text IS NULL OR state = $4)
ORDER BY number DESC LIMIT $5;

-- name: state
-- How a webhook is doing.
SELECT (SELECT failing_since FROM webhook_states WHERE org_id = $1 AND webhook_id = $2),
    (SELECT disabled_at FROM webhook_states WHERE org_id = $1 AND webhook_id = $2),
    (SELECT disabled_reason FROM webhook_states WHERE org_id = $1 AND webhook_id = $2),
    count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'dead') AS dead
FROM deliveries WHERE org_id = $1 AND webhook_id = $2 AND state <> 'delivered' AND judging IS NULL;

-- name: disabled
-- When a webhook was given up; it begins anew when it is taken into use again.
UPDATE webhook_states SET disabled_at = $3, disabled_reason = $4, failing_since = NULL WHERE org_id = $1 AND webhook_id = $2;

-- name: clear_outbox
-- Old messages.
DELETE FROM outbox WHERE created_at < $1;

-- name: clear_feed
-- Their order.
DELETE FROM feed WHERE created_at < $1;

-- name: clear_deliveries
-- Old deliveries.
DELETE FROM deliveries WHERE created_at < $1;
