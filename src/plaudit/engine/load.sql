-- name: lock_buckets
-- Lock buckets, before anything else and in ascending order, so only one transaction at a time decides for a member.
-- Return each bucket's position, and whether a member in it has an open live stream.
SELECT bucket, position, EXISTS (SELECT FROM watches AS w WHERE w.bucket = p.bucket AND until > now()) AS watched
FROM positions AS p WHERE bucket = ANY($1::smallint[]) ORDER BY bucket FOR UPDATE;

-- name: decided_before
-- Which of these events are already in the log.
SELECT event_id FROM event_ids WHERE event_id = ANY($1::text::uuid[]);
