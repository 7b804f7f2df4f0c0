-- name: logged
-- The number of these members' events in the log.
SELECT member_id, count(*) AS events FROM unnest($1::smallint[], $2::uuid[]) AS requested (bucket, member_id)
JOIN events USING (bucket, member_id) GROUP BY member_id;

-- name: take_codes
-- Issue codes to the members who had them, including codes that are unissued in their pools here. A code that is issued to
-- another member violates the key.
WITH moved AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::uuid[], $7::uuid[], $8::timestamptz[],
        $9::timestamptz[]
    ) AS moved (org_id, pool_id, code, state, bucket, member_id, coupon_id, allocated_at, redeemed_at)
), freed AS (
    UPDATE codes SET state = moved.state, bucket = moved.bucket, member_id = moved.member_id, coupon_id = moved.coupon_id,
        allocated_at = moved.allocated_at, redeemed_at = moved.redeemed_at
    FROM moved WHERE (codes.org_id, codes.pool_id, codes.code) = (moved.org_id, moved.pool_id, moved.code)
        AND codes.state IN ('available', 'expired')
    RETURNING codes.org_id, codes.pool_id, codes.code
)
INSERT INTO codes (org_id, pool_id, code, state, bucket, member_id, coupon_id, allocated_at, redeemed_at)
SELECT moved.* FROM moved WHERE NOT EXISTS (
    SELECT FROM freed WHERE (freed.org_id, freed.pool_id, freed.code) = (moved.org_id, moved.pool_id, moved.code)
);

-- name: forget_leaderboards
-- Notify every process to rebuild its leaderboards.
SELECT pg_notify($1, $2);
