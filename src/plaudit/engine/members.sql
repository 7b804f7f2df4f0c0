-- name: members
-- The rows of these members. `number` is the member's index in the arrays, from 1, so rows need no look-up by id.
SELECT number, attributes, enrolled_at, latest_at, active_at, sequence, due_at, merged_into
FROM unnest($1::text::smallint[], $2::text::uuid[]) WITH ORDINALITY AS wanted (bucket, member_id, number)
    JOIN members USING (bucket, member_id);

-- name: coupons
-- The number of these members' coupons that were not revoked, by origin.
SELECT number, origin_id, count(*) AS had
FROM unnest($1::text::smallint[], $2::text::uuid[]) WITH ORDINALITY AS wanted (bucket, member_id, number)
    JOIN coupons USING (bucket, member_id)
WHERE revoked_at IS NULL
GROUP BY number, origin_id;

-- name: hold
-- Which of these members have not been erased. They cannot be erased until the commit, so an erasure also finds the
-- events that this transaction queues for them.
SELECT member_id FROM members WHERE bucket = ANY($1::smallint[]) AND member_id = ANY($2::uuid[]) AND erased_at IS NULL
ORDER BY bucket, member_id FOR KEY SHARE;
