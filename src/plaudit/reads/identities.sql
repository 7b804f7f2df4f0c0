-- name: users_known_as
-- The members who have these identities.
SELECT kind, value, user_id FROM identities
WHERE org_id = $1 AND (kind, value) IN (
    SELECT * FROM unnest($2::text[], $3::text[])
    -- Fields that the profile schema marks as unique.
    UNION SELECT unique_field, value FROM unnest($4::text[]) AS unique_field, unnest($2::text[], $3::text[]) AS n (kind, value)
    WHERE n.kind = '*'
);

-- name: merged
-- Which of these members were merged, with the user they were merged into.
SELECT user_id, merged_into FROM unnest($1::smallint[], $2::uuid[]) AS requested (bucket, member_id)
    JOIN members USING (bucket, member_id) WHERE merged_into IS NOT NULL;

-- name: existing_members
-- Which of these members exist.
SELECT user_id FROM unnest($1::smallint[], $2::uuid[]) AS requested (bucket, member_id)
    JOIN members USING (bucket, member_id) WHERE erased_at IS NULL;
