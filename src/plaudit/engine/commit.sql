-- name: move_on
-- How far members have come, what they have now and how far they are in everything; and how long the logs are now. One
-- statement: a batch of a few events spends more on the way to the server and back than on anything else.
-- Texts come joined by the record separator, which neither ids nor JSON can contain, and numbers and ids as the text of an
-- array: the driver spends as much time on looking into each item as on everything else.
WITH members_now AS (
    UPDATE members SET present = after.present, sequence = after.sequence, due_at = after.due_at
    FROM unnest($1::text::smallint[], $2::text::uuid[], $3::timestamptz[], $4::text::bigint[], $5::timestamptz[])
        AS after (bucket, member_id, present, sequence, due_at)
    WHERE members.bucket = after.bucket AND members.member_id = after.member_id
), balances_now AS (
    UPDATE balances SET amount = after.amount, earned = after.earned, book = after.book::json
    FROM unnest(
        $6::text::smallint[], $7::text::uuid[], string_to_array($8, E'\x1e'), $9::text::bigint[], $10::text::bigint[],
        string_to_array($11, E'\x1e', '')
    ) AS after (bucket, member_id, metric, amount, earned, book)
    WHERE balances.bucket = after.bucket AND balances.member_id = after.member_id AND balances.metric = after.metric
), progress_now AS (
    UPDATE progress SET state = after.state::json
    FROM unnest(
        $12::text::smallint[], $13::text::uuid[],
        string_to_array($14, E'\x1e'), string_to_array($15, E'\x1e'), string_to_array($16, E'\x1e')
    ) AS after (bucket, member_id, kind, key, state)
    WHERE progress.bucket = after.bucket AND progress.member_id = after.member_id AND progress.kind = after.kind
        AND progress.key = after.key
)
UPDATE positions SET position = after.position, moved_at = $19
FROM unnest($17::smallint[], $18::bigint[]) AS after (bucket, position)
WHERE positions.bucket = after.bucket;

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
    bucket, member_id, org_id, competition_id, user_id, score, reached_at, scope, round, last_round, last_score,
    last_reached_at, position
)
SELECT * FROM unnest(
    $1::smallint[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::timestamptz[], $8::text[],
    $9::text[], $10::text[], $11::bigint[], $12::timestamptz[], $13::bigint[]
)
ON CONFLICT (bucket, member_id, competition_id) DO UPDATE SET score = excluded.score,
    reached_at = excluded.reached_at, scope = excluded.scope, round = excluded.round, last_round = excluded.last_round,
    last_score = excluded.last_score, last_reached_at = excluded.last_reached_at, position = excluded.position;

-- name: announce_messages
-- A word to those who deliver, when this is committed.
SELECT pg_notify('plaudit_outbox', '');

-- name: announce_members
-- A word to those who hold streams: for whom something has changed.
SELECT pg_notify('plaudit_members', $1);
