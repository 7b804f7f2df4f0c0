-- name: in_log
-- Events of the log, by their ids.
SELECT events.* FROM event_ids JOIN events USING (bucket, member_id, position, decided_at)
WHERE events.org_id = $1 AND event_ids.event_id = ANY($2::uuid[]);

-- name: failed
-- Failed events, by their ids.
SELECT * FROM failed_events WHERE org_id = $1 AND event_id = ANY($2::uuid[]);

-- name: waiting
-- Events that wait in the inbox, by their ids.
SELECT * FROM inbox WHERE org_id = $1 AND event_id = ANY($2::uuid[]);

-- name: page_of_log
-- The events of an organisation before the position ($2, $3, $4), newest first, or those of a member ($5) in a bucket
-- ($14), by the log's key. At most $15 events are read and then filtered: by state; by causes in the trace ($11, patterns
-- of its text); by the outcome of these causes, or of any ($12); by reasons for a refusal ($13). Either the part for the
-- organisation or the one for the member is empty, so the result is in order.
SELECT bucket, position, event_id, event_key, user_id, kind, trigger, occurred_at, received_at, decided_at, source,
    state, program_version, payload, outcome
FROM (
    (
        SELECT * FROM events WHERE $5::uuid IS NULL AND org_id = $1 AND (decided_at, bucket, position) < ($2, $3, $4)
        ORDER BY decided_at DESC, bucket DESC, position DESC LIMIT $15
    ) UNION ALL (
        SELECT * FROM events WHERE bucket = $14 AND member_id = $5 AND position < $4 ORDER BY position DESC LIMIT $15
    )
) AS scanned
WHERE ($6::text IS NULL OR state = $6)
    AND ($8::text IS NULL OR trigger = $8)
    AND ($9::timestamptz IS NULL OR occurred_at >= $9) AND ($10::timestamptz IS NULL OR occurred_at < $10)
    AND ($11::text[] IS NULL AND $12::text IS NULL AND $13::text[] IS NULL OR (
        SELECT CASE $12
                WHEN 'fired' THEN coalesce(bool_or(one ->> 3 IS NULL), false)
                WHEN 'refused' THEN coalesce(bool_or(one ->> 3 IS NOT NULL), false) OR $11 IS NULL AND outcome ->> 'refusal' IS NOT NULL
                WHEN 'nothing' THEN count(*) = 0 AND outcome ->> 'refusal' IS NULL
                ELSE $11 IS NULL OR count(*) > 0
            END AND ($13 IS NULL OR $11 IS NULL AND outcome ->> 'refusal' = ANY($13) OR coalesce(bool_or(
                one ->> 3 = ANY($13)
                OR EXISTS (SELECT FROM json_array_elements(one -> 5) AS effect WHERE effect ->> 1 = ANY($13))
            ), false))
        FROM json_array_elements(outcome -> 'trace') AS one WHERE $11 IS NULL OR (one -> 0)::text LIKE ANY($11)
    ))
LIMIT $7;

-- name: end_of_log
-- The position of the last event that such a page reads, or none if fewer events exist.
(
    SELECT decided_at, bucket, position FROM events
    WHERE $5::uuid IS NULL AND org_id = $1 AND (decided_at, bucket, position) < ($2, $3, $4)
    ORDER BY decided_at DESC, bucket DESC, position DESC OFFSET $7 - 1 LIMIT 1
) UNION ALL (
    SELECT decided_at, bucket, position FROM events WHERE bucket = $6 AND member_id = $5 AND position < $4
    ORDER BY position DESC OFFSET $7 - 1 LIMIT 1
);

-- name: page_of_failed
-- The failed events of an organisation, newest first.
SELECT * FROM failed_events
WHERE org_id = $1 AND (failed_at, event_id) < ($2, $3) AND ($4::uuid IS NULL OR member_id = $4)
    AND ($6::text IS NULL OR trigger = $6)
    AND ($7::timestamptz IS NULL OR occurred_at >= $7) AND ($8::timestamptz IS NULL OR occurred_at < $8)
ORDER BY failed_at DESC, event_id DESC LIMIT $5;

-- name: page_of_inbox
-- The waiting events of an organisation, newest first.
SELECT * FROM inbox WHERE org_id = $1 AND inbox_id < $2 AND ($3::uuid IS NULL OR member_id = $3)
    AND ($5::text IS NULL OR trigger = $5)
    AND ($6::timestamptz IS NULL OR occurred_at >= $6) AND ($7::timestamptz IS NULL OR occurred_at < $7)
ORDER BY inbox_id DESC LIMIT $4;

-- name: transactions_of
-- The transactions that an event led to.
SELECT transaction_id, metric, amount, balance_after, cause_kind, cause_id, step, index, reason FROM transactions
WHERE bucket = $1 AND member_id = $2 AND position = $3 ORDER BY ordinal;
