-- name: close_members
-- Close members who were merged into others, or reopen them after the merge was reversed. Notify processes to rebuild
-- the leaderboards that these members were on.
WITH changed AS (
    UPDATE members SET merged_into = after.merged_into
    FROM unnest($1::text::smallint[], $2::text::uuid[], $3::text::uuid[], $4::text[]) AS after (bucket, member_id, org_id, merged_into)
    WHERE members.bucket = after.bucket AND members.member_id = after.member_id
    RETURNING members.bucket, members.member_id, members.org_id
), left_progress AS (
    DELETE FROM progress USING changed WHERE (progress.bucket, progress.member_id) = (changed.bucket, changed.member_id)
), left_segments AS (
    DELETE FROM segment_members AS s USING changed WHERE (s.bucket, s.member_id) = (changed.bucket, changed.member_id)
), left_draws AS (
    DELETE FROM entries USING changed WHERE (entries.bucket, entries.member_id) = (changed.bucket, changed.member_id)
), left_boards AS (
    DELETE FROM standings AS s USING changed WHERE (s.bucket, s.member_id) = (changed.bucket, changed.member_id)
    RETURNING s.org_id
)
SELECT pg_notify('plaudit_erased', org_id::text) FROM (SELECT DISTINCT org_id FROM left_boards) AS once;

-- name: take_over
-- Move a merged member's rows that are not part of the decided state to the remaining member: coupons with their codes,
-- notifications, push subscriptions, consents, and identities of kinds that the remaining member lacks.
WITH merged AS (
    SELECT * FROM unnest($1::text::uuid[], $2::text::smallint[], $3::text::uuid[], $4::text::smallint[], $5::text::uuid[], $6::text[])
        AS m (org_id, from_bucket, from_id, bucket, member_id, user_id)
), coupons_now AS (
    UPDATE coupons AS c SET bucket = m.bucket, member_id = m.member_id
    FROM merged AS m WHERE (c.bucket, c.member_id) = (from_bucket, from_id)
    RETURNING m.org_id, c.pool_id, c.code, m.bucket, m.member_id
), codes_now AS (
    UPDATE codes AS c SET bucket = now.bucket, member_id = now.member_id
    FROM coupons_now AS now WHERE (c.org_id, c.pool_id, c.code) = (now.org_id, now.pool_id, now.code)
), notifications_now AS (
    UPDATE notifications AS n SET bucket = m.bucket, member_id = m.member_id
    FROM merged AS m WHERE (n.bucket, n.member_id) = (from_bucket, from_id)
), browsers_now AS (
    UPDATE push_subscriptions AS p SET bucket = m.bucket, member_id = m.member_id
    FROM merged AS m WHERE (p.bucket, p.member_id) = (from_bucket, from_id) AND NOT EXISTS (
        SELECT FROM push_subscriptions AS own
        WHERE (own.bucket, own.member_id, own.subscription_id) = (m.bucket, m.member_id, p.subscription_id)
    )
), consents_now AS (
    UPDATE consents AS c SET bucket = m.bucket, member_id = m.member_id
    FROM merged AS m WHERE (c.bucket, c.member_id) = (from_bucket, from_id)
)
UPDATE identities AS i SET bucket = m.bucket, member_id = m.member_id, user_id = m.user_id
FROM merged AS m WHERE (i.bucket, i.member_id) = (from_bucket, from_id) AND NOT EXISTS (
    SELECT FROM identities AS own WHERE (own.bucket, own.member_id, own.kind) = (m.bucket, m.member_id, i.kind)
);

-- name: withdraw_coupons
-- Revoke coupons and their codes. The codes are not issued again, as the member has seen them.
WITH gone AS (
    UPDATE coupons SET revoked_at = gone.at
    FROM unnest($1::text::smallint[], $2::text::uuid[], $3::text::uuid[], $4::timestamptz[]) AS gone (bucket, member_id, coupon_id, at)
    WHERE (coupons.bucket, coupons.member_id, coupons.coupon_id) = (gone.bucket, gone.member_id, gone.coupon_id)
        AND coupons.revoked_at IS NULL
    RETURNING coupons.org_id, coupons.pool_id, coupons.code, coupons.coupon_id
)
UPDATE codes SET state = 'revoked'
FROM gone WHERE (codes.org_id, codes.pool_id, codes.code) = (gone.org_id, gone.pool_id, gone.code)
    AND codes.coupon_id = gone.coupon_id;

-- name: withdraw_notifications
-- Delete notifications that are withdrawn.
DELETE FROM notifications AS n USING unnest($1::text::smallint[], $2::text::uuid[], $3::text::uuid[]) AS gone (bucket, member_id, notification_id)
WHERE (n.bucket, n.member_id, n.notification_id) = (gone.bucket, gone.member_id, gone.notification_id);

-- name: give_back
-- Return quantities of overall limits and of stock. Rows are locked in the same order as for claims.
WITH back AS (
    SELECT org_id, kind, key, sum(number) AS number
    FROM unnest($1::text::uuid[], $2::text[], $3::text[], $4::text::bigint[]) AS back (org_id, kind, key, number) GROUP BY org_id, kind, key
), locked AS MATERIALIZED (
    SELECT claimed.org_id, claimed.kind, claimed.key, number FROM claimed JOIN back USING (org_id, kind, key)
    ORDER BY claimed.org_id, claimed.kind, claimed.key FOR UPDATE OF claimed
)
UPDATE claimed SET quantity = greatest(claimed.quantity - locked.number, 0) FROM locked
WHERE (claimed.org_id, claimed.kind, claimed.key) = (locked.org_id, locked.kind, locked.key);
