-- name: lock_buckets
-- The bucket's lock, taken before anything else and in one order: whoever decides for a member waits here.
-- It comes with whether anybody holds a live stream of a member in it.
SELECT bucket, position, EXISTS (SELECT FROM watches AS w WHERE w.bucket = p.bucket AND until > now()) AS watched
FROM positions AS p WHERE bucket = ANY($1::smallint[]) ORDER BY bucket FOR UPDATE;

-- name: decided_before
-- Which of these events the log has already.
SELECT event_id FROM event_ids WHERE event_id = ANY($1::text::uuid[]);
