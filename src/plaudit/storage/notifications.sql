-- name: mark
-- These have been read; those that were before stay as they are.
UPDATE notifications SET read_at = $4
WHERE bucket = $1 AND member_id = $2 AND notification_id = ANY($3::uuid[]) AND read_at IS NULL;

-- name: mark_up_to
-- All up to one have been read; all, without one.
UPDATE notifications SET read_at = $4
WHERE bucket = $1 AND member_id = $2 AND read_at IS NULL AND (
    $3::uuid IS NULL OR sequence <= (
        SELECT sequence FROM notifications WHERE bucket = $1 AND member_id = $2 AND notification_id = $3
    )
);
