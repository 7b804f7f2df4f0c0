-- name: members
-- The members of a segment, in a stable order.
SELECT member_id, user_id, since FROM segment_members
WHERE org_id = $1 AND segment_id = $2 AND member_id > $3 ORDER BY member_id LIMIT $4;

-- name: count_members
-- How many members a segment has.
SELECT count(*) FROM segment_members WHERE org_id = $1 AND segment_id = $2;

-- name: fill
-- How far the filling of a segment is.
SELECT version, bucket, looked_at, changed, finished_at FROM segment_fills WHERE org_id = $1 AND segment_id = $2;

-- name: some_members
-- The first members of an organisation, to preview criteria.
SELECT bucket, member_id, user_id FROM members WHERE org_id = $1 AND erased_at IS NULL AND merged_into IS NULL
ORDER BY enrolled_at, member_id LIMIT $2;
