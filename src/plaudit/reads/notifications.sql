-- name: unread
-- A member's unread notifications that have not expired, oldest first.
SELECT notification_id, sequence, type, cause_kind, cause_id, step, display, title, message, created_at, expires_at, read_at, changes
FROM notifications WHERE bucket = $1 AND member_id = $2 AND read_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
ORDER BY sequence LIMIT $4;

-- name: page
-- A member's notifications that have not expired, read or not, newest first.
SELECT notification_id, sequence, type, cause_kind, cause_id, step, display, title, message, created_at, expires_at, read_at, changes
FROM notifications WHERE bucket = $1 AND member_id = $2 AND sequence < $3 AND (expires_at IS NULL OR expires_at > $4)
ORDER BY sequence DESC LIMIT $5;

-- name: unread_count
-- The number of a member's unread notifications that have not expired.
SELECT count(*) FROM notifications
WHERE bucket = $1 AND member_id = $2 AND read_at IS NULL AND (expires_at IS NULL OR expires_at > $3);

-- name: of_members
-- The notifications of these members after the last one that each has seen, in order.
SELECT notification_id, sequence, type, cause_kind, cause_id, step, display, title, message, created_at, expires_at, read_at,
    changes, n.member_id
FROM unnest($1::smallint[], $2::uuid[], $3::bigint[]) AS seen (bucket, member_id, after)
JOIN notifications AS n ON n.bucket = seen.bucket AND n.member_id = seen.member_id AND n.sequence > seen.after
ORDER BY n.sequence LIMIT $4;

-- name: last
-- The sequence of a member's newest notification.
SELECT coalesce(max(sequence), 0) FROM notifications WHERE bucket = $1 AND member_id = $2;
