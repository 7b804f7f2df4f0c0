-- name: mark
-- Mark these notifications as read. Those read before keep their time.
UPDATE notifications SET read_at = $4
WHERE bucket = $1 AND member_id = $2 AND notification_id = ANY($3::uuid[]) AND read_at IS NULL;

-- name: mark_up_to
-- Mark all notifications as read, or all up to $3.
UPDATE notifications SET read_at = $4
WHERE bucket = $1 AND member_id = $2 AND read_at IS NULL AND (
    $3::uuid IS NULL OR sequence <= (
        SELECT sequence FROM notifications WHERE bucket = $1 AND member_id = $2 AND notification_id = $3
    )
);
