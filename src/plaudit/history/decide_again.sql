-- name: log_of_member
-- A member's log up to an event, in its order; at most $4 of it. Of an erased member nothing: what it was decided on is gone.
SELECT bucket, position, event_id, event_key, org_id, member_id, user_id, kind, trigger, occurred_at, received_at,
    source, program_version, payload, outcome
FROM events WHERE bucket = $1 AND member_id = $2 AND position <= $3
    AND NOT EXISTS (SELECT FROM members AS m WHERE (m.bucket, m.member_id) = ($1, $2) AND erased_at IS NOT NULL)
ORDER BY position LIMIT $4;
