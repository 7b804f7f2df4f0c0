-- name: add_consent
-- Record that an existing member gave or withdrew a consent.
INSERT INTO consents (bucket, member_id, purpose, granted, source, given_at, recorded_at, recorded_by)
SELECT bucket, member_id, $3, $4, $5, $6, $7, $8 FROM members WHERE bucket = $1 AND member_id = $2
RETURNING ordinal;
