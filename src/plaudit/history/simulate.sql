-- name: extent
-- The number of events in the window and of their members, for a fraction of the members ($3 of 256, by their ids' first byte).
SELECT count(*) AS events, count(DISTINCT member_id) AS members FROM events
WHERE org_id = $1 AND decided_at >= $2 AND get_byte(uuid_send(member_id), 0) < $3;

-- name: log
-- The whole log of all members with an event in the window, in order of decision. Without erased members, whose data
-- has been deleted.
SELECT bucket, event_id, event_key, events.org_id, events.member_id, events.user_id, kind, trigger, occurred_at,
    received_at, source, program_version, payload, outcome, state, decided_at, decided_at >= $2 AS in_window
FROM events JOIN members USING (bucket, member_id)
WHERE events.org_id = $1 AND get_byte(uuid_send(member_id), 0) < $3 AND erased_at IS NULL AND kind <> 'erasure'
    AND EXISTS (
        SELECT FROM events AS e WHERE e.bucket = events.bucket AND e.member_id = events.member_id AND e.decided_at >= $2
    )
ORDER BY decided_at, bucket, position;

-- name: codes_left
-- The number of codes that each pool had available when the window began, and has now.
SELECT pool_id, count(*) AS number, count(*) FILTER (WHERE state = 'available') AS now FROM codes
WHERE org_id = $1 AND (state = 'available' OR (allocated_at >= $2 AND state <> 'available'))
GROUP BY pool_id;

-- name: reversed
-- The transactions that were reversed in the window.
SELECT DISTINCT reverses FROM transactions WHERE org_id = $1 AND created_at >= $2 AND reverses IS NOT NULL;

-- name: taken_now
-- How much of overall limits and stock is used now.
SELECT kind, key, quantity AS number FROM claimed WHERE org_id = $1;

-- name: held
-- Members whose history is being imported. Their timers do not run meanwhile (one hour: jobs.ABANDONED_AFTER).
SELECT DISTINCT member_id FROM importing_members JOIN jobs USING (job_id)
WHERE org_id = $1 AND state IN ('running', 'failed') AND moved_at > now() - interval '1 hour';
