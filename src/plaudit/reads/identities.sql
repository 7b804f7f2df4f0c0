-- name: users_known_as
-- Whose names these are.
SELECT value, user_id FROM identities
WHERE org_id = $1 AND (kind, value) IN (SELECT * FROM unnest($2::text[], $3::text[]));
