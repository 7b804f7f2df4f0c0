-- name: begin
-- Claim a key. A key older than a day can be claimed again, and so can one whose request started over a minute ago and
-- never finished, if the new request has the same fingerprint.
WITH claimed AS (
    INSERT INTO idempotency_keys AS k (org_id, key, fingerprint, begun_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (org_id, key) DO UPDATE SET
        fingerprint = excluded.fingerprint, begun_at = excluded.begun_at, status = NULL, content = NULL,
        caller = NULL, made = NULL
    WHERE k.begun_at < excluded.begun_at - interval '24 hours'
        OR (k.status IS NULL AND k.begun_at < excluded.begun_at - interval '1 minute'
            AND k.fingerprint = excluded.fingerprint)
    RETURNING true AS mine, fingerprint, status, content, caller, made
)
SELECT mine, fingerprint, status, content, caller, made FROM claimed
UNION ALL
SELECT false, fingerprint, status, content, caller, made FROM idempotency_keys
WHERE org_id = $1 AND key = $2 AND NOT EXISTS (SELECT FROM claimed);

-- name: finish
-- Store the response.
UPDATE idempotency_keys SET status = $3, content = $4, caller = $5, made = $6 WHERE org_id = $1 AND key = $2;

-- name: free
-- Delete a key, so that it can be used again.
DELETE FROM idempotency_keys WHERE org_id = $1 AND key = $2;
