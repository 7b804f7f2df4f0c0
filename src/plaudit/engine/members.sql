-- name: members
-- The members themselves. `number` is the place of the member in the arrays, from 1: told by it, they need not be looked up
-- by their ids.
SELECT number, attributes, enrolled_at, latest_at, active_at, sequence, due_at, merged_into
FROM unnest($1::text::smallint[], $2::text::uuid[]) WITH ORDINALITY AS wanted (bucket, member_id, number)
    JOIN members USING (bucket, member_id);

-- name: coupons
-- How many coupons they have had and kept, by what these came from.
SELECT number, origin_id, count(*) AS had
FROM unnest($1::text::smallint[], $2::text::uuid[]) WITH ORDINALITY AS wanted (bucket, member_id, number)
    JOIN coupons USING (bucket, member_id)
WHERE revoked_at IS NULL
GROUP BY number, origin_id;

-- name: hold
-- Those of these members who have not been erased. Until the commit nobody erases them: what is put into the inbox for
-- them is there by then, for the erasure to take out.
SELECT member_id FROM members WHERE bucket = ANY($1::smallint[]) AND member_id = ANY($2::uuid[]) AND erased_at IS NULL
ORDER BY bucket, member_id FOR KEY SHARE;
