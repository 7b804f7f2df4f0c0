-- name: open_claimed
-- Insert a row with a quantity of zero for each cap and stock that is claimed for the first time, so it can be locked.
INSERT INTO claimed (org_id, kind, key, quantity)
SELECT *, 0 FROM unnest($1::uuid[], $2::text[], $3::text[]) AS wanted (org_id, kind, key)
ORDER BY org_id, kind, key
ON CONFLICT DO NOTHING;

-- name: lock_claimed
-- Lock these caps and stocks until the commit, and return how much of each is used.
SELECT org_id, kind, key, quantity FROM claimed
JOIN unnest($1::uuid[], $2::text[], $3::text[]) AS wanted (org_id, kind, key) USING (org_id, kind, key)
ORDER BY org_id, kind, key FOR UPDATE OF claimed;

-- name: add_claimed
-- Add these quantities to the used ones.
UPDATE claimed SET quantity = claimed.quantity + taken.quantity
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) AS taken (org_id, kind, key, quantity)
WHERE claimed.org_id = taken.org_id AND claimed.kind = taken.kind AND claimed.key = taken.key;

-- name: free_codes
-- Lock the next codes of a pool that no other transaction has locked.
SELECT code FROM codes
WHERE org_id = $1 AND pool_id = $2 AND state = 'available' AND code <> ALL($3::text[])
ORDER BY ordinal LIMIT $4 FOR UPDATE SKIP LOCKED;

-- name: last_codes
-- Lock the next codes of a pool, and wait for other transactions' locks: these codes can become available again.
SELECT code FROM codes
WHERE org_id = $1 AND pool_id = $2 AND state = 'available' AND code <> ALL($3::text[])
ORDER BY ordinal LIMIT $4 FOR UPDATE;

-- name: allocate_codes
-- Issue codes to members.
UPDATE codes SET state = 'allocated', bucket = taken.bucket, member_id = taken.member_id,
    coupon_id = taken.coupon_id, allocated_at = $1
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::smallint[], $6::uuid[], $7::uuid[])
    AS taken (org_id, pool_id, code, bucket, member_id, coupon_id)
WHERE codes.org_id = taken.org_id AND codes.pool_id = taken.pool_id AND codes.code = taken.code;

-- name: lock_unused
-- Lock an issued code until the commit if it is still unused.
SELECT true FROM codes WHERE org_id = $1 AND pool_id = $2 AND code = $3 AND state = 'allocated' FOR UPDATE;
