-- name: begin
-- Deliveries whose conditions are looked at now, by turns of their organisations. That it is begun is written down first:
-- if it ends the process, it is known at what. $5: those at which a process may have ended before.
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
), mine AS (
    SELECT d.org_id, d.webhook_id, d.message_id FROM chosen JOIN deliveries AS d USING (org_id, webhook_id, message_id)
    WHERE d.state = 'waiting' AND d.judging IS NOT NULL AND d.next_at <= $1 FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries SET judging = judging + 1, next_at = $2 FROM mine LEFT JOIN outbox USING (org_id, message_id)
WHERE (deliveries.org_id, deliveries.webhook_id, deliveries.message_id) = (mine.org_id, mine.webhook_id, mine.message_id)
RETURNING deliveries.org_id, deliveries.webhook_id, deliveries.message_id, number, judging, type, only_to, payload,
    outbox.created_at;

-- name: hold
-- Deliveries whose conditions hold: they may be tried.
UPDATE deliveries SET judging = NULL, next_at = $4 FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS one (org_id, webhook_id, message_id)
WHERE (deliveries.org_id, deliveries.webhook_id, deliveries.message_id) = (one.org_id, one.webhook_id, one.message_id);

-- name: drop
-- Those whose conditions do not hold.
DELETE FROM deliveries USING unnest($1::uuid[], $2::text[], $3::uuid[]) AS one (org_id, webhook_id, message_id)
WHERE (deliveries.org_id, deliveries.webhook_id, deliveries.message_id) = (one.org_id, one.webhook_id, one.message_id);

-- name: fail
-- Those of which that cannot be said, with the reason.
UPDATE deliveries SET judging = NULL, state = 'dead', next_at = $5, tried_at = $5, error = one.error
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[]) AS one (org_id, webhook_id, message_id, error)
WHERE (deliveries.org_id, deliveries.webhook_id, deliveries.message_id) = (one.org_id, one.webhook_id, one.message_id);

-- name: put_back
-- Those that it was not the turn of yet.
UPDATE deliveries SET judging = judging - 1, next_at = $4
FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS one (org_id, webhook_id, message_id)
WHERE (deliveries.org_id, deliveries.webhook_id, deliveries.message_id) = (one.org_id, one.webhook_id, one.message_id);
