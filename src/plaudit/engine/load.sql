-- name: lock_buckets
-- The bucket's lock, taken before anything else and in one order: whoever decides for a member waits here.
SELECT bucket, position FROM positions WHERE bucket = ANY($1::smallint[]) ORDER BY bucket FOR UPDATE;

-- name: decided_before
-- Which of these events the log has already.
SELECT event_id FROM event_ids WHERE event_id = ANY($1::uuid[]);

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

-- name: due
-- Members of these buckets for whom something is due by their organisation's clock. What is overdue by more than a
-- minute waits until its bucket has been quiet for a while: history is being imported, and has its own order.
SELECT members.bucket, member_id, user_id, members.org_id, now() + clock_offset AS now
FROM members JOIN orgs USING (org_id) JOIN positions USING (bucket)
WHERE members.bucket = ANY($1::smallint[]) AND due_at <= now() + clock_offset
    AND (due_at > now() + clock_offset - interval '1 minute' OR moved_at < now() - interval '10 seconds')
    AND NOT EXISTS (SELECT FROM inbox WHERE inbox.bucket = members.bucket AND inbox.member_id = members.member_id)
ORDER BY due_at LIMIT $2;

-- name: due_of_org
-- Members of an organisation for whom something is due by its clock.
SELECT bucket, member_id, user_id, org_id FROM members WHERE org_id = $1 AND due_at <= $2 ORDER BY due_at LIMIT $3;
