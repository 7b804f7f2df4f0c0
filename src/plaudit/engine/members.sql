-- name: members
-- The members themselves.
SELECT member_id, attributes, enrolled_at, present, sequence, due_at
FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, member_id) JOIN members USING (bucket, member_id);

-- name: balances
-- What they have of each metric.
SELECT member_id, metric, amount, earned, book
FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, member_id) JOIN balances USING (bucket, member_id);

-- name: progress
-- How far they are in everything.
SELECT member_id, kind, key, state
FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, member_id) JOIN progress USING (bucket, member_id);

-- name: holdings
-- The products that they have.
SELECT member_id, product_id, quantity, first_at, last_at
FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, member_id) JOIN holdings USING (bucket, member_id);

-- name: coupons
-- How many coupons they have had, by what these came from.
SELECT member_id, origin_id, count(*) AS had
FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, member_id) JOIN coupons USING (bucket, member_id)
GROUP BY member_id, origin_id;

-- name: entries
-- Their entries in competitions.
SELECT member_id, competition_id, entries
FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, member_id) JOIN entries USING (bucket, member_id);

-- name: standings
-- Their scores in competitions.
SELECT member_id, competition_id, score, reached_at, scope, round, last_round, last_score, last_reached_at
FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, member_id) JOIN standings USING (bucket, member_id);
