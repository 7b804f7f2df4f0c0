-- name: totals
-- The number of codes in each state, by pool.
SELECT pool_id, state, count(*) AS number FROM codes
WHERE org_id = $1 AND pool_id = ANY($2::text[]) GROUP BY pool_id, state;

-- name: taken
-- How much of these products' stock has been taken.
SELECT key, quantity FROM claimed WHERE org_id = $1 AND kind = 'stock' AND key = ANY($2::text[]);

-- name: codes_of
-- The codes of a pool after an ordinal, optionally of one state or one member, with their owners and coupons.
SELECT codes.code, codes.ordinal, state, allocated_at, redeemed_at, user_id, codes.coupon_id, origin_id, terms, expires_at,
    revoked_at
FROM codes LEFT JOIN members USING (bucket, member_id)
    LEFT JOIN coupons ON (coupons.bucket, coupons.member_id, coupons.coupon_id) = (codes.bucket, codes.member_id, codes.coupon_id)
WHERE codes.org_id = $1 AND codes.pool_id = $2 AND ordinal > $3
    AND ($4::text IS NULL OR state = $4) AND ($5::uuid IS NULL OR codes.member_id = $5)
ORDER BY ordinal LIMIT $6;

-- name: as_written
-- A code of a pool, in exactly this case.
SELECT codes.code, codes.ordinal, state, allocated_at, redeemed_at, user_id, codes.coupon_id, origin_id, terms, expires_at,
    revoked_at
FROM codes LEFT JOIN members USING (bucket, member_id)
    LEFT JOIN coupons ON (coupons.bucket, coupons.member_id, coupons.coupon_id) = (codes.bucket, codes.member_id, codes.coupon_id)
WHERE codes.org_id = $1 AND codes.pool_id = $2 AND codes.code = $3;

-- name: ignoring_case
-- A code of a pool that ignores case, found by the index of codes in lower case.
SELECT codes.code, codes.ordinal, state, allocated_at, redeemed_at, user_id, codes.coupon_id, origin_id, terms, expires_at,
    revoked_at
FROM codes LEFT JOIN members USING (bucket, member_id)
    LEFT JOIN coupons ON (coupons.bucket, coupons.member_id, coupons.coupon_id) = (codes.bucket, codes.member_id, codes.coupon_id)
    JOIN documents ON documents.org_id = codes.org_id AND documents.kind = 'code_pool' AND documents.id = codes.pool_id
WHERE codes.org_id = $1 AND codes.pool_id = $2 AND lower(codes.code) = lower($3)
    AND NOT coalesce((doc ->> 'caseSensitive')::boolean, false)
ORDER BY codes.ordinal LIMIT 1;
