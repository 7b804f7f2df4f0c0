-- name: enqueue
-- Insert a message that is not about a member, at the next position of its organisation's bucket. The bucket's row stays
-- locked until the commit, so no message can appear behind one that was read. With $8, only if a webhook wants it.
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
