-- name: log_of_member
-- A member's log in order, up to a position, and at most $4 events. Empty if the member was erased: the data was deleted.
SELECT bucket, position, event_id, event_key, org_id, member_id, user_id, kind, trigger, occurred_at, received_at,
    source, program_version, payload, outcome, state
FROM events WHERE bucket = $1 AND member_id = $2 AND position <= $3
    AND NOT EXISTS (SELECT FROM members AS m WHERE (m.bucket, m.member_id) = ($1, $2) AND erased_at IS NOT NULL)
ORDER BY position LIMIT $4;
