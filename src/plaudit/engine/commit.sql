-- name: announce_messages
-- Notify the deliverers, at the commit, which buckets have new messages.
SELECT pg_notify('plaudit_outbox', $1);

-- name: announce_members
-- Notify the processes with live streams, at the commit, which members have changed.
SELECT pg_notify('plaudit_members', $1);
