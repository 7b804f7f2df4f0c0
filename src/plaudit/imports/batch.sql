-- name: booked
-- The ledger's sums of these imports, by metric.
SELECT metric, sum(amount) AS amount FROM event_ids JOIN transactions USING (bucket, member_id, position)
WHERE event_ids.event_id = ANY($1::uuid[]) AND cause_kind = 'import' GROUP BY metric;

-- name: take_codes
-- Issue imported codes to their members: new codes, and unissued ones of the pool.
INSERT INTO codes (org_id, pool_id, code, state, bucket, member_id, coupon_id, allocated_at)
SELECT org_id, pool_id, code, 'allocated', bucket, member_id, coupon_id, at FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::uuid[], $6::uuid[], $7::timestamptz[]
) AS imported (org_id, pool_id, code, bucket, member_id, coupon_id, at)
ON CONFLICT (org_id, pool_id, code) DO UPDATE SET state = 'allocated', bucket = excluded.bucket,
    member_id = excluded.member_id, coupon_id = excluded.coupon_id, allocated_at = excluded.allocated_at
WHERE codes.state = 'available';

-- name: codes_taken
-- Which of these codes are issued to the members who import them (organisation, pool, code, coupon).
SELECT coupon_id FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) AS imported (org_id, pool_id, code, coupon_id)
JOIN codes USING (org_id, pool_id, code, coupon_id);

-- name: release_codes
-- Withdraw codes that were issued for a line that is then refused, but not those of an existing coupon.
UPDATE codes SET state = 'available', bucket = NULL, member_id = NULL, coupon_id = NULL, allocated_at = NULL
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) AS released (org_id, pool_id, code, coupon_id)
WHERE (codes.org_id, codes.pool_id, codes.code) = (released.org_id, released.pool_id, released.code)
    AND codes.coupon_id = released.coupon_id AND codes.state = 'allocated' AND NOT EXISTS (
        SELECT FROM coupons
        WHERE (coupons.bucket, coupons.member_id, coupons.coupon_id) = (codes.bucket, codes.member_id, codes.coupon_id)
    );
