-- name: running
-- Rollbacks that are not finished, oldest first.
SELECT org_id, job_id::text, 0 AS version FROM jobs WHERE kind = 'rollback' AND state = 'running' ORDER BY job_id LIMIT 20;

-- name: take
-- Lock one of them, unless another process has. The lock ends with the transaction.
SELECT * FROM jobs WHERE job_id = $1 AND state = 'running' FOR UPDATE SKIP LOCKED;

-- name: members
-- The next members who have progress in a campaign, after $3, in the order of the campaign's index: all, or those of $4.
SELECT p.bucket, p.member_id, m.user_id FROM progress AS p JOIN members AS m USING (bucket, member_id)
WHERE p.kind = 'campaign' AND p.key = $2 AND m.org_id = $1 AND m.erased_at IS NULL AND p.member_id > $3
    AND ($4::text[] IS NULL OR m.user_id = ANY($4))
ORDER BY p.member_id LIMIT $5;

-- name: count_members
-- Count the members who have progress in a campaign: all, or those of $3.
SELECT count(*) FROM progress AS p JOIN members AS m USING (bucket, member_id)
WHERE p.kind = 'campaign' AND p.key = $2 AND m.org_id = $1 AND m.erased_at IS NULL
    AND ($3::text[] IS NULL OR m.user_id = ANY($3));

-- name: coupons
-- A member's coupons that were not revoked, with the states of the unique codes.
SELECT coupon_id, coupons.code, coupons.pool_id, origin_id, codes.state FROM coupons
LEFT JOIN codes USING (org_id, pool_id, coupon_id)
WHERE coupons.bucket = $1 AND coupons.member_id = $2 AND coupon_id = ANY($3::uuid[])
    AND revoked_at IS NULL;

-- name: coupon
-- A coupon by its id, with its owner.
SELECT coupons.coupon_id, coupons.code, coupons.pool_id, origin_id, user_id, revoked_at FROM coupons
JOIN members USING (bucket, member_id)
WHERE coupons.bucket = ANY(ARRAY(SELECT generate_series(0, 255)::smallint)) AND coupons.coupon_id = $2 AND coupons.org_id = $1;
