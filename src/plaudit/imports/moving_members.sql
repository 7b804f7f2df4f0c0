-- name: logged
-- How many events the log has of these members.
SELECT member_id, count(*) AS events FROM unnest($1::smallint[], $2::uuid[]) AS asked (bucket, member_id)
JOIN events USING (bucket, member_id) GROUP BY member_id;

-- name: take_codes
-- Codes into the hands of those who had them, also those that their pools have here and have given to nobody. One in
-- other hands violates the key.
WITH had AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::uuid[], $7::uuid[], $8::timestamptz[],
        $9::timestamptz[]
    ) AS had (org_id, pool_id, code, state, bucket, member_id, coupon_id, allocated_at, redeemed_at)
), freed AS (
    UPDATE codes SET state = had.state, bucket = had.bucket, member_id = had.member_id, coupon_id = had.coupon_id,
        allocated_at = had.allocated_at, redeemed_at = had.redeemed_at
    FROM had WHERE (codes.org_id, codes.pool_id, codes.code) = (had.org_id, had.pool_id, had.code)
        AND codes.state IN ('available', 'expired')
    RETURNING codes.org_id, codes.pool_id, codes.code
)
INSERT INTO codes (org_id, pool_id, code, state, bucket, member_id, coupon_id, allocated_at, redeemed_at)
SELECT had.* FROM had WHERE NOT EXISTS (
    SELECT FROM freed WHERE (freed.org_id, freed.pool_id, freed.code) = (had.org_id, had.pool_id, had.code)
);

-- name: tell
-- Whoever has boards in memory forgets them.
SELECT pg_notify($1, $2);
