-- name: append
-- Arrivals into the inbox, and a word to the workers which buckets they are in. A keyed event that is there already,
-- decided or waiting, is passed over: those that come back are new.
-- Here and below, arrays that are made first and `OFFSET 0` leave no choice but to look each up. Else a plan that was made
-- while a table was empty would scan all of it, however much is in it by then.
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

-- name: take_back_decided
-- Of arrivals just put in, those that the log has had for a moment.
DELETE FROM inbox
WHERE event_key IS NOT NULL
    AND event_id = ANY (ARRAY(SELECT event_id FROM event_ids WHERE event_id = ANY($1::uuid[])))
RETURNING event_id;

-- name: fingerprints
-- What these keyed events contained when they came first; nobody knows of those of erased members.
SELECT event_id, fingerprint FROM event_ids WHERE event_id = ANY($1::uuid[]) AND fingerprint IS NOT NULL
UNION ALL SELECT event_id, fingerprint FROM inbox WHERE event_key IS NOT NULL AND event_id = ANY($1::uuid[])
UNION ALL SELECT event_id, fingerprint FROM failed_events WHERE event_id = ANY($1::uuid[]);

-- name: peek
-- The next events of these buckets, in the order of their arrival within each: as `Arrival` has its fields.
SELECT arrived.* FROM unnest($1::smallint[]) AS mine (bucket) CROSS JOIN LATERAL (
    SELECT bucket, event_id, event_key, org_id, member_id, user_id, kind, trigger, occurred_at, received_at,
        source, fingerprint, payload, inbox_id
    FROM inbox WHERE inbox.bucket = mine.bucket ORDER BY inbox_id LIMIT $2
) AS arrived LIMIT $2;

-- name: waiting
-- Events that wait in one bucket, by their ids: as `Arrival` has its fields.
SELECT bucket, event_id, event_key, org_id, member_id, user_id, kind, trigger, occurred_at, received_at,
    source, fingerprint, payload, inbox_id
FROM inbox WHERE bucket = $1 AND event_id = ANY($2::uuid[]) ORDER BY inbox_id;

-- name: remove
-- Take events out of the inbox; which of them were still there, unless all $3 were.
WITH removed AS (
    DELETE FROM inbox WHERE ctid = ANY (ARRAY(
        SELECT there.place FROM unnest($1::text::smallint[], $2::text::bigint[]) AS gone (bucket, inbox_id)
            CROSS JOIN LATERAL (
                SELECT ctid AS place FROM inbox
                WHERE inbox.bucket = gone.bucket AND inbox.inbox_id = gone.inbox_id OFFSET 0
            ) AS there
    ))
    RETURNING inbox_id
)
SELECT CASE WHEN count(*) < $3::bigint THEN coalesce(array_agg(inbox_id), '{}') END FROM removed;

-- name: back_from_failed
-- Put a failed event back into the inbox, to be tried again.
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
-- A failed event that is being tried again is no longer failed, nor is it to blame for the end of a process.
WITH cleared AS (DELETE FROM suspects WHERE suspect_id = $2)
DELETE FROM failed_events WHERE org_id = $1 AND event_id = $2;
