-- name: announce_messages
-- A word to those who deliver, when this is committed: in which buckets there is something.
SELECT pg_notify('plaudit_outbox', $1);

-- name: announce_members
-- A word to those who hold streams: for whom something has changed.
SELECT pg_notify('plaudit_members', $1);
