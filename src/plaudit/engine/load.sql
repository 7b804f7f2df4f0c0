-- name: lock_buckets
-- The bucket's lock, taken before anything else and in one order: whoever decides for a member waits here.
SELECT bucket, position FROM positions WHERE bucket = ANY($1::smallint[]) ORDER BY bucket FOR UPDATE;

-- name: decided_before
-- Which of these events the log has already.
SELECT event_id FROM event_ids WHERE event_id = ANY($1::uuid[]);

-- name: members
-- The members themselves.
SELECT member_id, attributes, enrolled_at, present
FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, member_id) JOIN members USING (bucket, member_id);

-- name: balances
-- What they have of each metric.
SELECT member_id, metric, amount, earned
FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, member_id) JOIN balances USING (bucket, member_id);

-- name: progress
-- How far they are in each campaign.
SELECT member_id, campaign_id, completions, last_at, periods
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
