-- name: lock
-- One process at a time makes a key.
SELECT pg_advisory_xact_lock(hashtext('plaudit signing keys'));

-- name: keys
-- The keys whose tokens still open something, the youngest first.
SELECT kid, private_key, created_at, retired_at FROM signing_keys
WHERE retired_at IS NULL OR retired_at > now() ORDER BY created_at DESC, kid;

-- name: insert_key
-- A new key, which signs from now on.
INSERT INTO signing_keys (kid, private_key, created_at) VALUES ($1, $2, $3);

-- name: retire_others
-- The keys before it end when their last tokens do.
UPDATE signing_keys SET retired_at = $2 WHERE kid <> $1 AND retired_at IS NULL;
