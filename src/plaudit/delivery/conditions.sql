-- name: start
-- Deliveries whose conditions are to be evaluated, taking turns between organisations. Each evaluation is counted before
-- it starts, in case it ends the process. With $5, select those whose evaluation may have ended a process before.
WITH RECURSIVE organisations AS (
    (SELECT org_id FROM deliveries WHERE state = 'waiting' AND judging IS NOT NULL ORDER BY org_id LIMIT 1)
    UNION ALL
    SELECT next.org_id FROM organisations CROSS JOIN LATERAL (
        SELECT org_id FROM deliveries
        WHERE state = 'waiting' AND judging IS NOT NULL AND deliveries.org_id > organisations.org_id
        ORDER BY org_id LIMIT 1
    ) AS next
), candidates AS (
    SELECT found.*, row_number() OVER (PARTITION BY found.org_id ORDER BY next_at, number) AS turn
    FROM organisations CROSS JOIN LATERAL (
        SELECT org_id, webhook_id, message_id, next_at, number FROM deliveries AS d
        WHERE d.org_id = organisations.org_id AND state = 'waiting' AND judging IS NOT NULL AND next_at <= $1
            AND (judging > 0) = $5
        ORDER BY next_at, number LIMIT $3
    ) AS found
), chosen AS (
    SELECT org_id, webhook_id, message_id FROM candidates ORDER BY turn, next_at LIMIT $4
), leased AS (
    SELECT d.org_id, d.webhook_id, d.message_id FROM chosen JOIN deliveries AS d USING (org_id, webhook_id, message_id)
    WHERE d.state = 'waiting' AND d.judging IS NOT NULL AND d.next_at <= $1 FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries SET judging = judging + 1, next_at = $2 FROM leased LEFT JOIN outbox USING (org_id, message_id)
WHERE (deliveries.org_id, deliveries.webhook_id, deliveries.message_id) = (leased.org_id, leased.webhook_id, leased.message_id)
RETURNING deliveries.org_id, deliveries.webhook_id, deliveries.message_id, number, judging, type, only_to, payload,
    outbox.created_at;

-- name: hold
-- Release deliveries whose conditions hold, to be attempted.
UPDATE deliveries SET judging = NULL, next_at = $4 FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS evaluated (org_id, webhook_id, message_id)
WHERE (deliveries.org_id, deliveries.webhook_id, deliveries.message_id) = (evaluated.org_id, evaluated.webhook_id, evaluated.message_id);

-- name: drop
-- Delete deliveries whose conditions do not hold.
DELETE FROM deliveries USING unnest($1::uuid[], $2::text[], $3::uuid[]) AS evaluated (org_id, webhook_id, message_id)
WHERE (deliveries.org_id, deliveries.webhook_id, deliveries.message_id) = (evaluated.org_id, evaluated.webhook_id, evaluated.message_id);

-- name: fail
-- Mark deliveries as dead whose conditions cannot be evaluated, with the reason.
UPDATE deliveries SET judging = NULL, state = 'dead', next_at = $5, tried_at = $5, error = evaluated.error
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[]) AS evaluated (org_id, webhook_id, message_id, error)
WHERE (deliveries.org_id, deliveries.webhook_id, deliveries.message_id) = (evaluated.org_id, evaluated.webhook_id, evaluated.message_id);

-- name: put_back
-- Return deliveries to the queue whose evaluation did not start.
UPDATE deliveries SET judging = judging - 1, next_at = $4
FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS evaluated (org_id, webhook_id, message_id)
WHERE (deliveries.org_id, deliveries.webhook_id, deliveries.message_id) = (evaluated.org_id, evaluated.webhook_id, evaluated.message_id);
