-- name: extent
-- How much there is in the window, of the members of a share ($3 of 256, by the first byte of their ids).
SELECT count(*) AS events, count(DISTINCT member_id) AS members FROM events
WHERE org_id = $1 AND decided_at >= $2 AND get_byte(uuid_send(member_id), 0) < $3;

-- name: log
-- Everything of the members of whom there is something in the window, in the order in which it was decided; not of
-- erased ones, whose words are gone.
SELECT bucket, event_id, event_key, events.org_id, events.member_id, events.user_id, kind, trigger, occurred_at,
    received_at, source, program_version, payload, outcome, state, decided_at, decided_at >= $2 AS in_window
FROM events JOIN members USING (bucket, member_id)
WHERE events.org_id = $1 AND get_byte(uuid_send(member_id), 0) < $3 AND erased_at IS NULL AND kind <> 'erasure'
    AND EXISTS (
        SELECT FROM events AS e WHERE e.bucket = events.bucket AND e.member_id = events.member_id AND e.decided_at >= $2
    )
ORDER BY decided_at, bucket, position;

-- name: codes_left
-- How many codes pools had when the window began, and how many they have now. Those of coupons that were withdrawn since
-- are nobody's.
SELECT pool_id, count(*) AS number, count(*) FILTER (WHERE state = 'available') AS now FROM codes
WHERE org_id = $1 AND (state = 'available' OR (allocated_at >= $2 AND state <> 'available'))
GROUP BY pool_id;

-- name: reversed
-- The transactions that were taken back in the window.
SELECT DISTINCT reverses FROM transactions WHERE org_id = $1 AND created_at >= $2 AND reverses IS NOT NULL;

-- name: taken_now
-- What is taken of overall limits and stock now.
SELECT kind, key, quantity AS number FROM claimed WHERE org_id = $1;

-- name: held
-- Members whose history is being imported: nothing falls due for them meanwhile (an hour: jobs.ABANDONED_AFTER).
SELECT DISTINCT member_id FROM importing_members JOIN jobs USING (job_id)
WHERE org_id = $1 AND state IN ('running', 'failed') AND moved_at > now() - interval '1 hour';
