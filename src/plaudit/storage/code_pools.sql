-- name: add
-- Codes into a pool; those that it has already are passed over.
INSERT INTO codes (org_id, pool_id, code) SELECT $1, $2, code FROM unnest($3::text[]) AS given (code)
ON CONFLICT DO NOTHING RETURNING code;

-- name: redeem
-- A code was used at the till, unless its coupon has expired.
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
-- The codes of a pool that nobody has.
UPDATE codes SET state = 'expired' WHERE org_id = $1 AND pool_id = $2 AND state = 'available' RETURNING 1;

-- name: expire_due
-- The same for every pool whose time has come.
UPDATE codes SET state = 'expired' FROM documents JOIN orgs USING (org_id)
WHERE documents.kind = 'code_pool' AND (doc ->> 'expiresAt')::timestamptz <= now() + clock_offset
    AND codes.org_id = documents.org_id AND codes.pool_id = documents.id AND codes.state = 'available' RETURNING 1;
