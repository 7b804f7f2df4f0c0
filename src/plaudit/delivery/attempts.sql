-- name: deliver_again
-- Queue a message for a webhook, even if it was delivered or is dead.
INSERT INTO deliveries (org_id, webhook_id, message_id, number, member_id, judging, state, created_at, next_at)
VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, $7)
ON CONFLICT (org_id, webhook_id, message_id) DO UPDATE SET state = 'waiting', attempts = 0, judging = excluded.judging,
    created_at = excluded.created_at, next_at = excluded.next_at;

-- name: once_more
-- Queue a delivery again, even if it was delivered or is dead. Do nothing if it does not exist.
UPDATE deliveries SET state = 'waiting', attempts = 0, judging = NULL, created_at = $4, next_at = $4
FROM outbox WHERE deliveries.org_id = $1 AND deliveries.webhook_id = $2 AND deliveries.message_id = $3
    AND outbox.message_id = deliveries.message_id;

-- name: lease_due
-- Due deliveries, in turns: first one of each organisation, then each one's second; within an organisation, its lanes
-- take turns in the same way. A lane gets at most as many as it has room for ($4 to $6, or else $7), and so does an
-- organisation ($8 and $9, or else $10). If a webhook keeps the order, only a member's first waiting delivery is due.
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

-- name: renew_leases
-- Renew the leases of deliveries that are still being attempted.
UPDATE deliveries SET next_at = $4 FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS attempted (org_id, webhook_id, message_id)
WHERE (deliveries.org_id, deliveries.webhook_id, deliveries.message_id) = (attempted.org_id, attempted.webhook_id, attempted.message_id)
    AND state = 'waiting' AND attempts > 0;

-- name: drop
-- Delete a delivery whose message was deleted.
DELETE FROM deliveries WHERE org_id = $1 AND webhook_id = $2 AND message_id = $3;

-- name: record_attempt
-- Store the result of an attempt.
UPDATE deliveries SET state = $4, next_at = $5, tried_at = $6, status = $7, error = $8, milliseconds = $9
WHERE org_id = $1 AND webhook_id = $2 AND message_id = $3;

-- name: record_failing
-- Store since when a webhook has been failing (null if the last attempt succeeded), and return it.
UPDATE webhook_states SET failing_since = CASE WHEN $3::timestamptz IS NULL THEN NULL ELSE coalesce(failing_since, $3) END
WHERE org_id = $1 AND webhook_id = $2 RETURNING failing_since;

-- name: secrets
-- A webhook's secrets.
SELECT secret, previous_secret, previous_until FROM webhook_states WHERE org_id = $1 AND webhook_id = $2;

-- name: first_secret
-- Store a webhook's first secret, or return the one that another process has just stored.
INSERT INTO webhook_states AS s (org_id, webhook_id, secret) VALUES ($1, $2, $3)
ON CONFLICT (org_id, webhook_id) DO UPDATE SET secret = s.secret
RETURNING secret, previous_secret, previous_until;

-- name: rotate
-- Store a new secret, and until when the previous one is valid.
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
-- Since when a webhook has been failing, when and why it was disabled, and its waiting and dead deliveries.
SELECT (SELECT failing_since FROM webhook_states WHERE org_id = $1 AND webhook_id = $2),
    (SELECT disabled_at FROM webhook_states WHERE org_id = $1 AND webhook_id = $2),
    (SELECT disabled_reason FROM webhook_states WHERE org_id = $1 AND webhook_id = $2),
    count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'dead') AS dead
FROM deliveries WHERE org_id = $1 AND webhook_id = $2 AND state <> 'delivered' AND judging IS NULL;

-- name: disabled
-- Store when and why a webhook was disabled, and reset the start of its failures.
UPDATE webhook_states SET disabled_at = $3, disabled_reason = $4, failing_since = NULL WHERE org_id = $1 AND webhook_id = $2;

-- name: clear_outbox
-- Delete old messages.
DELETE FROM outbox WHERE created_at < $1;

-- name: clear_feed
-- Delete old entries of the feed.
DELETE FROM feed WHERE created_at < $1;

-- name: clear_deliveries
-- Delete old deliveries.
DELETE FROM deliveries WHERE created_at < $1;
