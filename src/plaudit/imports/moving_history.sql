-- name: existing_events
-- Which of these events are in the log of any organisation, even if their month has been archived.
SELECT i.event_id, events.event_key, events.org_id, i.member_id, events.user_id, events.kind, events.trigger,
    events.occurred_at, events.received_at, i.decided_at, events.source, events.state, events.program_version,
    i.fingerprint, events.payload, events.outcome
FROM event_ids AS i LEFT JOIN events USING (bucket, member_id, position, decided_at)
WHERE i.event_id = ANY($1::uuid[]);

-- name: existing_members
-- Which of these members exist.
SELECT member_id FROM unnest($1::smallint[], $2::uuid[]) AS requested (bucket, member_id) JOIN members USING (bucket, member_id);

-- name: move_positions
-- Set the positions of these buckets.
UPDATE positions SET position = after.position, moved_at = $3
FROM unnest($1::smallint[], $2::bigint[]) AS after (bucket, position) WHERE positions.bucket = after.bucket;

-- name: existing_transactions
-- The transactions of these events.
SELECT t.* FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $4::timestamptz[]) AS requested (bucket, member_id, position, at)
JOIN transactions AS t USING (bucket, member_id, position) WHERE t.created_at = at;

-- name: totals_of
-- The ledger's sums of these members, by metric.
SELECT member_id, metric, sum(amount) AS amount FROM unnest($1::smallint[], $2::uuid[]) AS requested (bucket, member_id)
JOIN transactions USING (bucket, member_id) GROUP BY member_id, metric;
