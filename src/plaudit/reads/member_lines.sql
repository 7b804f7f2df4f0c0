-- name: members_now
-- The current rows of these members.
SELECT number, bucket, member_id, user_id, attributes, enrolled_at, latest_at, active_at, sequence, due_at, erased_at, merged_into
FROM unnest($1::text::smallint[], $2::text::uuid[]) WITH ORDINALITY AS wanted (bucket, member_id, number) JOIN members USING (bucket, member_id)
ORDER BY number;

-- name: identities
-- These members' identities.
SELECT number, kind, value
FROM unnest($1::text::smallint[], $2::text::uuid[]) WITH ORDINALITY AS wanted (bucket, member_id, number) JOIN identities USING (bucket, member_id);

-- name: coupons
-- These members' coupons, with the states of their codes.
SELECT number, c.coupon_id, origin_id, c.pool_id, c.code, terms, cause_kind, cause_id, event_id, issued_at, expires_at, state,
    allocated_at, redeemed_at, revoked_at
FROM unnest($1::text::smallint[], $2::text::uuid[]) WITH ORDINALITY AS wanted (bucket, member_id, number)
    JOIN coupons AS c USING (bucket, member_id)
    LEFT JOIN codes ON (codes.org_id, codes.pool_id, codes.code, codes.coupon_id) = (c.org_id, c.pool_id, c.code, c.coupon_id)
ORDER BY number, issued_at, c.coupon_id;

-- name: consents
-- These members' consents, in order.
SELECT number, purpose, granted, source, given_at, recorded_at, recorded_by
FROM unnest($1::text::smallint[], $2::text::uuid[]) WITH ORDINALITY AS wanted (bucket, member_id, number) JOIN consents USING (bucket, member_id)
ORDER BY number, ordinal;

-- name: notifications
-- These members' notifications, in order.
SELECT number, notification_id, type, cause_kind, cause_id, step, display, title, message, changes, created_at, expires_at, read_at
FROM unnest($1::text::smallint[], $2::text::uuid[]) WITH ORDINALITY AS wanted (bucket, member_id, number) JOIN notifications USING (bucket, member_id)
ORDER BY number, sequence;
