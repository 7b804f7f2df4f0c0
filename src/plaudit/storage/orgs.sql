-- name: insert_org
-- Insert an organisation.
INSERT INTO orgs (org_id, name, jwt_secret, created_at, is_test, slug) VALUES ($1, $2, $3, $4, $5, $6);

-- name: insert_api_key
-- Insert a key, with the hash of its secret.
INSERT INTO api_keys (key_id, org_id, name, secret_hash, scopes, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: api_keys
-- The valid keys of an organisation.
SELECT key_id, name, scopes, created_at, expires_at FROM api_keys
WHERE org_id = $1 AND (expires_at IS NULL OR expires_at > now()) ORDER BY created_at, key_id;

-- name: end_api_key
-- End a key at $3, unless it ends earlier.
UPDATE api_keys SET expires_at = least(expires_at, $3) WHERE org_id = $1 AND key_id = $2;

-- name: api_key
-- The key of a secret.
SELECT key_id, org_id, name, scopes, expires_at FROM api_keys WHERE secret_hash = $1;

-- name: jwt_secret
-- The secret that signs an organisation's member tokens.
SELECT jwt_secret FROM orgs WHERE org_id = $1;

-- name: orgs
-- All organisations, oldest first.
SELECT org_id, name, slug, is_test, created_at FROM orgs ORDER BY created_at, org_id;

-- name: orgs_called
-- The organisations of that id, slug or name: ids rank before slugs, and slugs before names.
SELECT org_id, CASE WHEN org_id::text = lower($1) THEN 1 WHEN slug = $1 THEN 2 ELSE 3 END AS rank
FROM orgs WHERE $1 IN (slug, name) OR org_id::text = lower($1) ORDER BY rank, created_at, org_id;

-- name: org
-- An organisation.
SELECT org_id, name, slug, is_test, created_at FROM orgs WHERE org_id = $1;

-- name: move_clock
-- Advance an organisation's clock, record when that was by the wall clock, and notify every process.
WITH moved AS (
    UPDATE orgs SET clock_offset = clock_offset + $2 WHERE org_id = $1 RETURNING org_id, clock_offset
), noted AS (
    INSERT INTO clock_moves (org_id, moved_at, offset_before, offset_after)
    SELECT org_id, $3::timestamptz, clock_offset - $2, clock_offset FROM moved
    ON CONFLICT (org_id, moved_at) DO UPDATE SET offset_after = excluded.offset_after
)
SELECT clock_offset, pg_notify('plaudit_programs', org_id::text) FROM moved;

-- name: org_of_slug
-- The organisation whose space has that name.
SELECT org_id FROM orgs WHERE slug = $1;

-- name: api_key_of_id
-- A valid key, by its id.
SELECT key_id, org_id, name, scopes, expires_at FROM api_keys
WHERE key_id = $1 AND (expires_at IS NULL OR expires_at > now());
