-- name: consents
-- A member's consents.
SELECT purpose, granted, source, given_at, recorded_at, recorded_by FROM consents
WHERE bucket = $1 AND member_id = $2 ORDER BY ordinal;

-- name: held_transactions
-- The member's transactions.
SELECT * FROM transactions WHERE bucket = $1 AND member_id = $2 ORDER BY position, ordinal;

-- name: held_events
-- The member's events in the log.
SELECT * FROM events WHERE bucket = $1 AND member_id = $2 ORDER BY position;

-- name: held_waiting
-- The member's events that are not decided yet.
SELECT * FROM inbox WHERE bucket = $1 AND member_id = $2 ORDER BY inbox_id;

-- name: held_failed
-- The member's failed events.
SELECT event_id, event_key, trigger, occurred_at, received_at, payload FROM failed_events
WHERE bucket = $1 AND member_id = $2 ORDER BY failed_at;

-- name: held_notifications
-- The member's notifications.
SELECT * FROM notifications WHERE bucket = $1 AND member_id = $2 ORDER BY created_at;

-- name: held_push
-- The member's Web Push subscriptions.
SELECT subscription_id, endpoint, created_at FROM push_subscriptions WHERE bucket = $1 AND member_id = $2;

-- name: held_progress
-- The member's progress in campaigns and mechanics.
SELECT * FROM progress WHERE bucket = $1 AND member_id = $2 ORDER BY kind, key;

-- name: held_segments
-- The segments that the member is in.
SELECT segment_id, since FROM segment_members WHERE bucket = $1 AND member_id = $2 ORDER BY segment_id;

-- name: held_standings
-- The member's scores in competitions.
SELECT competition_id, score, reached_at, scope, round FROM standings WHERE bucket = $1 AND member_id = $2;
