-- name: announce_messages
-- When the transaction commits, notify the deliverers which buckets have new messages.
SELECT pg_notify('plaudit_outbox', $1);

-- name: announce_members
-- When the transaction commits, notify the processes with live streams which members have changed.
SELECT pg_notify('plaudit_members', $1);
