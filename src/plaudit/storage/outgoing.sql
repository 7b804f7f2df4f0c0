-- name: tell
-- A message that is about no member: its place is the next one of its organisation's bucket, whose row stays locked until
-- the commit, so that none can appear before one that has been read. With $8 only if there is a webhook that wants it.
WITH place AS (
    UPDATE outbox_ends SET position = position + 1 WHERE bucket = $1 AND (NOT $8 OR EXISTS (
        SELECT FROM documents WHERE org_id = $2 AND kind = 'webhook' AND doc ->> 'status' = 'active'
            AND (doc -> 'events' ? $4 OR doc -> 'events' ? '*')
    ))
    RETURNING bucket, position
)
INSERT INTO outbox (bucket, position, ordinal, org_id, message_id, type, payload, created_at, only_to)
SELECT bucket, position, 0, $2, $3, $4, $5, $6, $7 FROM place
RETURNING pg_notify('plaudit_outbox', bucket::text);
