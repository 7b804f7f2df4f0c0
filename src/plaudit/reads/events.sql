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
-- The events of an organisation, newest first, after the one at ($2, $3, $4); of one member, in one state, if asked.
SELECT bucket, position, event_id, event_key, user_id, kind, trigger, occurred_at, received_at, decided_at, source,
    state, program_version, payload, outcome
FROM events
WHERE org_id = $1 AND (decided_at, bucket, position) < ($2, $3, $4)
    AND ($5::uuid IS NULL OR member_id = $5) AND ($6::text IS NULL OR state = $6)
ORDER BY decided_at DESC, bucket DESC, position DESC LIMIT $7;

-- name: page_of_failed
-- The failed events of an organisation, newest first.
SELECT * FROM failed_events
WHERE org_id = $1 AND (failed_at, event_id) < ($2, $3) AND ($4::uuid IS NULL OR member_id = $4)
ORDER BY failed_at DESC, event_id DESC LIMIT $5;

-- name: page_of_inbox
-- The events of an organisation that wait, newest first.
SELECT * FROM inbox WHERE org_id = $1 AND inbox_id < $2 AND ($3::uuid IS NULL OR member_id = $3)
ORDER BY inbox_id DESC LIMIT $4;

-- name: transactions_of
-- What an event led to in the books.
SELECT transaction_id, metric, amount, balance_after, campaign_id, step, index, reason FROM transactions
WHERE bucket = $1 AND member_id = $2 AND position = $3 ORDER BY ordinal;
