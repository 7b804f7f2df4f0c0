-- name: lock_handed
-- How far the outbox has been handed out; nobody else hands out meanwhile.
SELECT xid, ordinal FROM outbox_handed FOR UPDATE SKIP LOCKED;

-- name: after
-- The next messages of all organisations. Every transaction that began before those read here has ended.
SELECT xid, ordinal, message_id, org_id, member_id, type, only_to, payload, created_at FROM outbox
WHERE (xid, ordinal) > ($1, $2) AND xid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
ORDER BY xid, ordinal LIMIT $3;

-- name: insert_delivery
-- A message on its way to a webhook.
INSERT INTO deliveries (org_id, webhook_id, message_id, xid, ordinal, member_id, state, created_at, next_at)
VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, $7) ON CONFLICT DO NOTHING;

-- name: deliver_again
-- The same, also when it has been delivered or given up.
INSERT INTO deliveries (org_id, webhook_id, message_id, xid, ordinal, member_id, state, created_at, next_at)
VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, $7)
ON CONFLICT (org_id, webhook_id, message_id) DO UPDATE SET state = 'waiting', attempts = 0, created_at = excluded.created_at,
    next_at = excluded.next_at;

-- name: move_handed
-- As far as it has been handed out now.
UPDATE outbox_handed SET xid = $1, ordinal = $2;

-- name: take
-- What is due: not what has something of the same member before it, where a webhook wants the order kept.
WITH due AS (
    SELECT org_id, webhook_id, message_id FROM deliveries AS d
    WHERE state = 'waiting' AND next_at <= $1 AND (member_id IS NULL OR NOT EXISTS (
        SELECT FROM deliveries AS e WHERE e.org_id = d.org_id AND e.webhook_id = d.webhook_id
            AND e.member_id = d.member_id AND e.state = 'waiting' AND (e.xid, e.ordinal) < (d.xid, d.ordinal)
    ))
    ORDER BY next_at, xid, ordinal LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE deliveries SET attempts = attempts + 1, next_at = $2 FROM due JOIN outbox USING (org_id, message_id)
WHERE (deliveries.org_id, deliveries.webhook_id, deliveries.message_id) = (due.org_id, due.webhook_id, due.message_id)
RETURNING deliveries.org_id, deliveries.webhook_id, deliveries.message_id, outbox.member_id,
    attempts, deliveries.created_at AS handed_at, payload;

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

-- name: of_org
-- An organisation's messages, in order.
SELECT xid, ordinal, message_id, org_id, member_id, type, only_to, payload, created_at FROM outbox
WHERE org_id = $1 AND (xid, ordinal) > ($2, $3) AND xid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
    AND ($4::timestamptz IS NULL OR created_at >= $4)
ORDER BY xid, ordinal LIMIT $5;

-- name: one
-- One message.
SELECT xid, ordinal, message_id, org_id, member_id, type, only_to, payload, created_at FROM outbox
WHERE org_id = $1 AND message_id = $2;

-- name: deliveries
-- A webhook's deliveries, newest first.
SELECT d.message_id, d.xid, d.ordinal, type, state, attempts, d.created_at, next_at, tried_at, status, error, milliseconds
FROM deliveries AS d JOIN outbox USING (org_id, message_id)
WHERE d.org_id = $1 AND webhook_id = $2 AND (d.xid, d.ordinal) < ($3, $4) AND ($5::text IS NULL OR state = $5)
ORDER BY d.xid DESC, d.ordinal DESC LIMIT $6;

-- name: state
-- How a webhook is doing.
SELECT (SELECT failing_since FROM webhook_states WHERE org_id = $1 AND webhook_id = $2),
    (SELECT disabled_at FROM webhook_states WHERE org_id = $1 AND webhook_id = $2),
    count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'dead') AS dead
FROM deliveries WHERE org_id = $1 AND webhook_id = $2 AND state <> 'delivered';

-- name: disabled
-- When a webhook was given up; it begins anew when it is taken into use again.
UPDATE webhook_states SET disabled_at = $3, failing_since = NULL WHERE org_id = $1 AND webhook_id = $2;

-- name: tell
-- A message that no decision brings with it.
INSERT INTO outbox (org_id, message_id, type, payload, created_at, only_to) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING pg_notify('plaudit_outbox', '');

-- name: clear_outbox
-- Old messages.
DELETE FROM outbox WHERE created_at < $1;

-- name: clear_deliveries
-- Old deliveries.
DELETE FROM deliveries WHERE created_at < $1;
