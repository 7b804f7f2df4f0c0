-- name: begin
-- A new rollback. `result` says what is asked for, and how far it is.
INSERT INTO jobs (job_id, org_id, kind, state, begun_at, begun_by, moved_at, result)
VALUES ($1, $2, 'rollback', 'running', $3, $4, $3, $5);

-- name: running
-- Rollbacks that are not finished, oldest first.
SELECT org_id, job_id::text, 0 AS version FROM jobs WHERE kind = 'rollback' AND state = 'running' ORDER BY job_id LIMIT 20;

-- name: take
-- One of them, unless another process is at it: the lock ends with the transaction.
SELECT * FROM jobs WHERE job_id = $1 AND state = 'running' FOR UPDATE SKIP LOCKED;

-- name: move
-- How far it is.
UPDATE jobs SET lines = $2, accepted = $3, refused = $4, moved_at = $5, result = $6, state = $7 WHERE job_id = $1;

-- name: members
-- Members for whom a campaign has counted anything, after one, in the order of the campaign's index: all, or those named.
SELECT p.bucket, p.member_id, m.user_id FROM progress AS p JOIN members AS m USING (bucket, member_id)
WHERE p.kind = 'campaign' AND p.key = $2 AND m.org_id = $1 AND m.erased_at IS NULL AND p.member_id > $3
    AND ($4::text[] IS NULL OR m.user_id = ANY($4))
ORDER BY p.member_id LIMIT $5;

-- name: how_many
-- How many these are.
SELECT count(*) FROM progress AS p JOIN members AS m USING (bucket, member_id)
WHERE p.kind = 'campaign' AND p.key = $2 AND m.org_id = $1 AND m.erased_at IS NULL
    AND ($3::text[] IS NULL OR m.user_id = ANY($3));

-- name: log
-- A member's log, in its order; nothing of an erased member's, as what it was decided on is gone.
SELECT bucket, event_id, event_key, org_id, member_id, user_id, kind, trigger, occurred_at, received_at, source,
    program_version, payload, outcome, state
FROM events WHERE bucket = $1 AND member_id = $2
    AND NOT EXISTS (SELECT FROM members AS m WHERE (m.bucket, m.member_id) = ($1, $2) AND erased_at IS NOT NULL)
ORDER BY position;

-- name: log_until_merge
-- The log of a member who was merged into another ($3), in order; nothing if the merge was reversed or they were erased.
SELECT bucket, event_id, event_key, org_id, member_id, user_id, kind, trigger, occurred_at, received_at, source,
    program_version, payload, outcome, state
FROM events WHERE bucket = $1 AND member_id = $2
    AND EXISTS (
        SELECT FROM members AS m WHERE (m.bucket, m.member_id) = ($1, $2) AND erased_at IS NULL AND merged_into = $3
    )
ORDER BY position;

-- name: coupons
-- A member's coupons that are still valid, with the states of the unique ones.
SELECT coupon_id, coupons.code, coupons.pool_id, origin_id, codes.state FROM coupons
LEFT JOIN codes USING (org_id, pool_id, coupon_id)
WHERE coupons.bucket = $1 AND coupons.member_id = $2 AND coupon_id = ANY($3::uuid[])
    AND revoked_at IS NULL;

-- name: coupon
-- A coupon by its id, and who has it.
SELECT coupons.coupon_id, coupons.code, coupons.pool_id, origin_id, user_id, revoked_at FROM coupons
JOIN members USING (bucket, member_id)
WHERE coupons.bucket = ANY(ARRAY(SELECT generate_series(0, 255)::smallint)) AND coupons.coupon_id = $2 AND coupons.org_id = $1;
