-- name: receiver
-- A member: as whom they go on if they were merged, whether they were erased, and what they have of a metric.
SELECT merged_into, erased_at, amount, book FROM members AS m
    LEFT JOIN balances AS b ON (b.bucket, b.member_id, b.metric) = (m.bucket, m.member_id, $3)
WHERE m.bucket = $1 AND m.member_id = $2;
