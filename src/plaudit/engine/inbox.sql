-- name: append
-- Insert arrivals, and notify the workers of their buckets. An event whose key is already decided or waiting is skipped;
-- the returned ones are new.
-- Here and below, `ARRAY(…)` and `OFFSET 0` force the planner to look each row up by its key. Otherwise a plan made while
-- a table was empty would scan the whole table forever.
WITH appended AS (
    INSERT INTO inbox (
        bucket, event_id, event_key, org_id, member_id, user_id, kind, trigger, occurred_at, received_at, source,
        fingerprint, payload
    )
    SELECT * FROM unnest(
        $1::smallint[], $2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[],
        $9::timestamptz[], $10::timestamptz[], $11::text[], $12::bigint[], $13::json[]
    ) AS arrived (bucket, event_id, event_key)
    WHERE event_key IS NULL
        OR NOT EXISTS (SELECT FROM event_ids WHERE event_ids.event_id = arrived.event_id OFFSET 0)
    ON CONFLICT (event_id) WHERE event_key IS NOT NULL DO NOTHING
    RETURNING bucket, event_id
)
SELECT event_id, CASE WHEN row_number() OVER () = 1 THEN
    pg_notify('plaudit_inbox', (SELECT string_agg(DISTINCT bucket::text, ',') FROM appended))
END FROM appended;

-- name: remove_decided
-- Remove arrivals that were just inserted, if the log has them by now.
DELETE FROM inbox
WHERE event_key IS NOT NULL
    AND event_id = ANY (ARRAY(SELECT event_id FROM event_ids WHERE event_id = ANY($1::uuid[])))
RETURNING event_id;

-- name: fingerprints
-- The fingerprints of these events when they first arrived. Those of erased members are deleted.
SELECT event_id, fingerprint FROM event_ids WHERE event_id = ANY($1::uuid[]) AND fingerprint IS NOT NULL
UNION ALL SELECT event_id, fingerprint FROM inbox WHERE event_key IS NOT NULL AND event_id = ANY($1::uuid[])
UNION ALL SELECT event_id, fingerprint FROM failed_events WHERE event_id = ANY($1::uuid[]);

-- name: peek
-- The next events of these buckets, in order of arrival within each. Columns are in the order of `Arrival`.
SELECT arrived.* FROM unnest($1::smallint[]) AS leased (bucket) CROSS JOIN LATERAL (
    SELECT bucket, event_id, event_key, org_id, member_id, user_id, kind, trigger, occurred_at, received_at,
        source, fingerprint, payload, inbox_id
    FROM inbox WHERE inbox.bucket = leased.bucket ORDER BY inbox_id LIMIT $2
) AS arrived LIMIT $2;

-- name: waiting
-- Waiting events of one bucket, by their ids. Columns are in the order of `Arrival`.
SELECT bucket, event_id, event_key, org_id, member_id, user_id, kind, trigger, occurred_at, received_at,
    source, fingerprint, payload, inbox_id
FROM inbox WHERE bucket = $1 AND event_id = ANY($2::uuid[]) ORDER BY inbox_id;

-- name: remove
-- Remove events from the inbox. Return null if all $3 were still there, or else those that were.
WITH removed AS (
    DELETE FROM inbox WHERE ctid = ANY (ARRAY(
        SELECT waiting.place FROM unnest($1::text::smallint[], $2::text::bigint[]) AS requested (bucket, inbox_id)
            CROSS JOIN LATERAL (
                SELECT ctid AS place FROM inbox
                WHERE inbox.bucket = requested.bucket AND inbox.inbox_id = requested.inbox_id OFFSET 0
            ) AS waiting
    ))
    RETURNING inbox_id
)
SELECT CASE WHEN count(*) < $3::bigint THEN coalesce(array_agg(inbox_id), '{}') END FROM removed;

-- name: requeue_failed
-- Insert a failed event into the inbox again, and notify the workers.
WITH again AS (
    SELECT bucket, event_id, event_key, org_id, member_id, user_id, kind, trigger, occurred_at, received_at,
        source, fingerprint, payload
    FROM failed_events WHERE org_id = $1 AND event_id = $2 FOR UPDATE
)
INSERT INTO inbox (
    bucket, event_id, event_key, org_id, member_id, user_id, kind, trigger, occurred_at, received_at, source,
    fingerprint, payload
)
SELECT * FROM again ON CONFLICT (event_id) WHERE event_key IS NOT NULL DO NOTHING
RETURNING bucket, pg_notify('plaudit_inbox', bucket::text);

-- name: forget_failed
-- Delete a failed event that is retried, and its record as a suspect.
WITH cleared AS (DELETE FROM suspects WHERE suspect_id = $2)
DELETE FROM failed_events WHERE org_id = $1 AND event_id = $2;
