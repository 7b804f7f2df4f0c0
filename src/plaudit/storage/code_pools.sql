-- name: add
-- Add codes to a pool, and skip those that it already has.
INSERT INTO codes (org_id, pool_id, code) SELECT $1, $2, code FROM unnest($3::text[]) AS added (code)
ON CONFLICT DO NOTHING RETURNING code;

-- name: redeem
-- Mark a code as redeemed, unless its coupon has expired.
UPDATE codes SET state = 'redeemed', redeemed_at = $4
WHERE org_id = $1 AND pool_id = $2 AND code = $3 AND state = 'allocated'
    AND NOT EXISTS (
        SELECT FROM coupons WHERE coupons.bucket = codes.bucket AND coupons.member_id = codes.member_id
            AND coupons.coupon_id = codes.coupon_id AND coupons.expires_at <= $4
    )
RETURNING code;

-- name: one
-- The state of a code.
SELECT state, redeemed_at FROM codes WHERE org_id = $1 AND pool_id = $2 AND code = $3;

-- name: expire
-- Expire the unissued codes of a pool.
UPDATE codes SET state = 'expired' WHERE org_id = $1 AND pool_id = $2 AND state = 'available' RETURNING 1;

-- name: expire_due
-- Expire the unissued codes of every pool that has expired by its organisation's clock.
UPDATE codes SET state = 'expired' FROM documents JOIN orgs USING (org_id)
WHERE documents.kind = 'code_pool' AND (doc ->> 'expiresAt')::timestamptz <= now() + clock_offset
    AND codes.org_id = documents.org_id AND codes.pool_id = documents.id AND codes.state = 'available' RETURNING 1;
