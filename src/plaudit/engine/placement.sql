-- name: with_former
-- These members and all who have been merged into them, whose transactions count for them too.
WITH RECURSIVE former AS (
    SELECT bucket, member_id, member_id AS former_id, org_id, user_id
    FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, member_id) JOIN members USING (bucket, member_id)
    UNION SELECT m.bucket, former.member_id, m.member_id, m.org_id, m.user_id
    FROM former JOIN members AS m ON m.org_id = former.org_id AND m.merged_into = former.user_id
)
SELECT bucket, member_id, former_id FROM former;

-- name: credits_and_reversals
-- Members' credits and reversals of a metric, with the columns that decide what counts as earned.
SELECT t.member_id, transaction_id, reverses, amount, cause_kind, coalesce(kind, '') AS kind, t.occurred_at,
    payload -> 'data' ->> 'expiresAt' IS NOT NULL AS own_expiry
FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, member_id) JOIN transactions AS t USING (bucket, member_id)
    LEFT JOIN events AS e USING (bucket, member_id, position)
WHERE metric = $3 AND (amount > 0 OR reverses IS NOT NULL) ORDER BY t.created_at, position, ordinal;
