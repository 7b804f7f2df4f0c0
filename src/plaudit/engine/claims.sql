-- name: open_claimed
-- Lock what does not exist yet: a row of zero for each cap and stock that is claimed for the first time.
INSERT INTO claimed (org_id, kind, key, quantity)
SELECT *, 0 FROM unnest($1::uuid[], $2::text[], $3::text[]) AS wanted (org_id, kind, key)
ORDER BY org_id, kind, key
ON CONFLICT DO NOTHING;

-- name: lock_claimed
-- How much has been taken of these, until the commit ours to add to.
SELECT org_id, kind, key, quantity FROM claimed
JOIN unnest($1::uuid[], $2::text[], $3::text[]) AS wanted (org_id, kind, key) USING (org_id, kind, key)
ORDER BY org_id, kind, key FOR UPDATE OF claimed;

-- name: add_claimed
-- Take so much of each.
UPDATE claimed SET quantity = claimed.quantity + taken.quantity
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) AS taken (org_id, kind, key, quantity)
WHERE claimed.org_id = taken.org_id AND claimed.kind = taken.kind AND claimed.key = taken.key;

-- name: free_codes
-- The next codes of a pool that nobody else is about to take.
SELECT code FROM codes
WHERE org_id = $1 AND pool_id = $2 AND state = 'available' AND code <> ALL($3::text[])
ORDER BY ordinal LIMIT $4 FOR UPDATE SKIP LOCKED;

-- name: last_codes
-- The same, waiting for those who are about to take one: they may yet take it back.
SELECT code FROM codes
WHERE org_id = $1 AND pool_id = $2 AND state = 'available' AND code <> ALL($3::text[])
ORDER BY ordinal LIMIT $4 FOR UPDATE;

-- name: allocate_codes
-- Put codes into members' hands.
UPDATE codes SET state = 'allocated', bucket = taken.bucket, member_id = taken.member_id,
    coupon_id = taken.coupon_id, allocated_at = $1
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::smallint[], $6::uuid[], $7::uuid[])
    AS taken (org_id, pool_id, code, bucket, member_id, coupon_id)
WHERE codes.org_id = taken.org_id AND codes.pool_id = taken.pool_id AND codes.code = taken.code;

-- name: lock_unused
-- Whether a code that somebody has is still unused; until the commit it stays so.
SELECT true FROM codes WHERE org_id = $1 AND pool_id = $2 AND code = $3 AND state = 'allocated' FOR UPDATE;
