-- name: receiver
-- A member: the user they were merged into, whether they were erased, and their balance of a metric.
SELECT merged_into, erased_at, amount, book FROM members AS m
    LEFT JOIN balances AS b ON (b.bucket, b.member_id, b.metric) = (m.bucket, m.member_id, $3)
WHERE m.bucket = $1 AND m.member_id = $2;
