-- name: users_known_as
-- Whose names these are.
SELECT value, user_id FROM identities
WHERE org_id = $1 AND (kind, value) IN (
    SELECT * FROM unnest($2::text[], $3::text[])
    -- Other names than e-mail addresses and phone numbers: whatever the profile schema marks as unique.
    UNION SELECT unique_field, value FROM unnest($4::text[]) AS unique_field, unnest($2::text[], $3::text[]) AS n (kind, value)
    WHERE n.kind = '*'
);
