-- name: move_on
-- How far members have come, what they have now and how far they are in everything; and how long the logs are now. One
-- statement: a batch of a few events spends more on the way to the server and back than on anything else.
-- Texts come joined by the record separator, which neither ids nor JSON can contain, and numbers and ids as the text of an
-- array: the driver spends as much time on looking into each item as on everything else.
WITH members_now AS (
    UPDATE members SET latest_at = after.latest_at, active_at = after.active_at, sequence = after.sequence, due_at = after.due_at
    FROM unnest(
        $1::text::smallint[], $2::text::uuid[], $3::timestamptz[], $4::timestamptz[], $5::text::bigint[], $6::timestamptz[]
    ) AS after (bucket, member_id, latest_at, active_at, sequence, due_at)
    WHERE members.bucket = after.bucket AND members.member_id = after.member_id
), balances_now AS (
    UPDATE balances SET amount = after.amount, earned = after.earned, book = after.book::json
    FROM unnest(
        $7::text::smallint[], $8::text::uuid[], string_to_array($9, E'\x1e'), $10::text::bigint[], $11::text::bigint[],
        string_to_array($12, E'\x1e', '')
    ) AS after (bucket, member_id, metric, amount, earned, book)
    WHERE balances.bucket = after.bucket AND balances.member_id = after.member_id AND balances.metric = after.metric
), progress_now AS (
    UPDATE progress SET state = after.state::json
    FROM unnest(
        $13::text::smallint[], $14::text::uuid[],
        string_to_array($15, E'\x1e'), string_to_array($16, E'\x1e'), string_to_array($17, E'\x1e')
    ) AS after (bucket, member_id, kind, key, state)
    WHERE progress.bucket = after.bucket AND progress.member_id = after.member_id AND progress.kind = after.kind
        AND progress.key = after.key
)
UPDATE positions SET position = after.position, moved_at = $20
FROM unnest($18::smallint[], $19::bigint[]) AS after (bucket, position)
WHERE positions.bucket = after.bucket;

-- name: close_members
-- Members who were merged into others and have nothing left, or whose merge was reversed. Boards in memory, which follow
-- the changes, are notified to remove them.
WITH changed AS (
    UPDATE members SET merged_into = after.merged_into
    FROM unnest($1::smallint[], $2::uuid[], $3::uuid[], $4::text[]) AS after (bucket, member_id, org_id, merged_into)
    WHERE members.bucket = after.bucket AND members.member_id = after.member_id
    RETURNING members.bucket, members.member_id, members.org_id
), let_go AS (
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
-- Move what a merged member has, in addition to the state that is decided on: coupons with their codes, notifications,
-- browsers, consents, and identities of each kind that the remaining member lacks.
WITH merged AS (
    SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::smallint[], $5::uuid[], $6::text[])
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

-- name: update_attributes
-- Their profiles, where they have changed.
UPDATE members SET attributes = after.attributes
FROM unnest($1::smallint[], $2::uuid[], $3::json[]) AS after (bucket, member_id, attributes)
WHERE members.bucket = after.bucket AND members.member_id = after.member_id;

-- name: upsert_holdings
-- The products that members have now.
INSERT INTO holdings (bucket, member_id, product_id, quantity, first_at, last_at)
SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::text[], $4::bigint[], $5::timestamptz[], $6::timestamptz[])
ON CONFLICT (bucket, member_id, product_id) DO UPDATE
SET quantity = excluded.quantity, first_at = excluded.first_at, last_at = excluded.last_at;

-- name: delete_holdings
-- The products that members have no more of.
DELETE FROM holdings USING unnest($1::smallint[], $2::uuid[], $3::text[]) AS gone (bucket, member_id, product_id)
WHERE holdings.bucket = gone.bucket AND holdings.member_id = gone.member_id AND holdings.product_id = gone.product_id;

-- name: insert_segment_members
-- Who came into a segment.
INSERT INTO segment_members (bucket, member_id, org_id, segment_id, user_id, since)
SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[])
ON CONFLICT (bucket, member_id, segment_id) DO UPDATE SET since = excluded.since;

-- name: delete_segment_members
-- Who left a segment.
DELETE FROM segment_members USING unnest($1::smallint[], $2::uuid[], $3::text[]) AS gone (bucket, member_id, segment_id)
WHERE segment_members.bucket = gone.bucket AND segment_members.member_id = gone.member_id
    AND segment_members.segment_id = gone.segment_id;

-- name: upsert_entries
-- Members' entries in competitions now.
INSERT INTO entries (bucket, member_id, competition_id, entries)
SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::text[], $4::bigint[])
ON CONFLICT (bucket, member_id, competition_id) DO UPDATE SET entries = excluded.entries;

-- name: delete_entries
-- The draws that members are no longer in.
DELETE FROM entries USING unnest($1::smallint[], $2::uuid[], $3::text[]) AS gone (bucket, member_id, competition_id)
WHERE entries.bucket = gone.bucket AND entries.member_id = gone.member_id AND entries.competition_id = gone.competition_id;

-- name: withdraw_coupons
-- Coupons that are no longer valid. Their codes have been seen, so nobody gets them again.
WITH gone AS (
    UPDATE coupons SET revoked_at = gone.at
    FROM unnest($1::smallint[], $2::uuid[], $3::uuid[], $4::timestamptz[]) AS gone (bucket, member_id, coupon_id, at)
    WHERE (coupons.bucket, coupons.member_id, coupons.coupon_id) = (gone.bucket, gone.member_id, gone.coupon_id)
        AND coupons.revoked_at IS NULL
    RETURNING coupons.org_id, coupons.pool_id, coupons.code, coupons.coupon_id
)
UPDATE codes SET state = 'revoked'
FROM gone WHERE (codes.org_id, codes.pool_id, codes.code) = (gone.org_id, gone.pool_id, gone.code)
    AND codes.coupon_id = gone.coupon_id;

-- name: withdraw_notifications
-- What members are no longer to see.
DELETE FROM notifications AS n USING unnest($1::smallint[], $2::uuid[], $3::uuid[]) AS gone (bucket, member_id, notification_id)
WHERE (n.bucket, n.member_id, n.notification_id) = (gone.bucket, gone.member_id, gone.notification_id);

-- name: give_back
-- What others can have again, of limits overall and of stock; locked in the order of all who claim.
WITH back AS (
    SELECT org_id, kind, key, sum(number) AS number
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) AS back (org_id, kind, key, number) GROUP BY org_id, kind, key
), locked AS MATERIALIZED (
    SELECT claimed.org_id, claimed.kind, claimed.key, number FROM claimed JOIN back USING (org_id, kind, key)
    ORDER BY claimed.org_id, claimed.kind, claimed.key FOR UPDATE OF claimed
)
UPDATE claimed SET quantity = greatest(claimed.quantity - locked.number, 0) FROM locked
WHERE (claimed.org_id, claimed.kind, claimed.key) = (locked.org_id, locked.kind, locked.key);

-- name: delete_identities
-- Names that members no longer go by.
DELETE FROM identities USING unnest($1::smallint[], $2::uuid[], $3::text[]) AS gone (bucket, member_id, kind)
WHERE identities.bucket = gone.bucket AND identities.member_id = gone.member_id AND identities.kind = gone.kind;

-- name: insert_identities
-- Names that members go by; one that is another member's raises.
INSERT INTO identities (org_id, kind, value, bucket, member_id, user_id)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::uuid[], $6::text[]);

-- name: set_aside
-- Events that made our code raise.
INSERT INTO failed_events (
    event_id, bucket, event_key, org_id, member_id, user_id, kind, trigger, occurred_at, received_at, source,
    fingerprint, payload, error, failed_at
)
SELECT *, $15 FROM unnest(
    $1::uuid[], $2::smallint[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[],
    $9::timestamptz[], $10::timestamptz[], $11::text[], $12::bigint[], $13::json[], $14::text[]
)
ON CONFLICT (event_id) DO UPDATE SET error = excluded.error, failed_at = excluded.failed_at;

-- name: upsert_standings
-- Members' scores in competitions now.
INSERT INTO standings (
    bucket, member_id, org_id, competition_id, user_id, score, reached_at, scope, round, previous_round, previous_score,
    previous_reached_at, position
)
SELECT * FROM unnest(
    $1::smallint[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::timestamptz[], $8::text[],
    $9::text[], $10::text[], $11::bigint[], $12::timestamptz[], $13::bigint[]
)
ON CONFLICT (bucket, member_id, competition_id) DO UPDATE SET score = excluded.score,
    reached_at = excluded.reached_at, scope = excluded.scope, round = excluded.round, previous_round = excluded.previous_round,
    previous_score = excluded.previous_score, previous_reached_at = excluded.previous_reached_at, position = excluded.position;

-- name: announce_messages
-- A word to those who deliver, when this is committed: in which buckets there is something.
SELECT pg_notify('plaudit_outbox', $1);

-- name: announce_members
-- A word to those who hold streams: for whom something has changed.
SELECT pg_notify('plaudit_members', $1);
