-- name: booked
-- What the ledger has of these imports, by metric.
SELECT metric, sum(amount) AS amount FROM event_ids JOIN transactions USING (bucket, member_id, position)
WHERE event_ids.event_id = ANY($1::uuid[]) AND cause_kind = 'import' GROUP BY metric;

-- name: take_codes
-- Codes into the hands of those who bring them: new ones, and those that nobody has.
INSERT INTO codes (org_id, pool_id, code, state, bucket, member_id, coupon_id, allocated_at)
SELECT org_id, pool_id, code, 'allocated', bucket, member_id, coupon_id, at FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::uuid[], $6::uuid[], $7::timestamptz[]
) AS brought (org_id, pool_id, code, bucket, member_id, coupon_id, at)
ON CONFLICT (org_id, pool_id, code) DO UPDATE SET state = 'allocated', bucket = excluded.bucket,
    member_id = excluded.member_id, coupon_id = excluded.coupon_id, allocated_at = excluded.allocated_at
WHERE codes.state = 'available';

-- name: codes_taken
-- Which of these codes are in the very hands that bring them (organisation, pool, code, coupon).
SELECT coupon_id FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) AS brought (org_id, pool_id, code, coupon_id)
JOIN codes USING (org_id, pool_id, code, coupon_id);

-- name: give_back
-- Codes that were taken for a line that is refused after all; not those of a coupon that there is.
UPDATE codes SET state = 'available', bucket = NULL, member_id = NULL, coupon_id = NULL, allocated_at = NULL
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) AS given (org_id, pool_id, code, coupon_id)
WHERE (codes.org_id, codes.pool_id, codes.code) = (given.org_id, given.pool_id, given.code)
    AND codes.coupon_id = given.coupon_id AND codes.state = 'allocated' AND NOT EXISTS (
        SELECT FROM coupons
        WHERE (coupons.bucket, coupons.member_id, coupons.coupon_id) = (codes.bucket, codes.member_id, codes.coupon_id)
    );
