-- name: lock
-- Only one process at a time creates a key.
SELECT pg_advisory_xact_lock(hashtext('plaudit signing keys'));

-- name: keys
-- The keys whose tokens are still valid, newest first.
SELECT kid, private_key, created_at, retired_at FROM signing_keys
WHERE retired_at IS NULL OR retired_at > now() ORDER BY created_at DESC, kid;

-- name: insert_key
-- Insert a key, which signs from now on.
INSERT INTO signing_keys (kid, private_key, created_at) VALUES ($1, $2, $3);

-- name: retire_others
-- Retire the other keys at the time when their last tokens expire.
UPDATE signing_keys SET retired_at = $2 WHERE kid <> $1 AND retired_at IS NULL;
