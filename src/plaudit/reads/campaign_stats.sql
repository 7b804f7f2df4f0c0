-- name: stats
-- How many members take part in a campaign, how many have completed it, and how often.
SELECT count(*) AS taking_part, count(*) FILTER (WHERE (state ->> 0)::bigint > 0) AS completed,
    coalesce(sum((state ->> 0)::bigint), 0)::bigint AS completions, max((state ->> 1)::timestamptz) AS last_at
FROM progress JOIN members USING (bucket, member_id)
WHERE kind = 'campaign' AND key = $2 AND members.org_id = $1;

-- name: paid
-- The amounts that a campaign has paid, by metric.
SELECT metric, sum(amount)::bigint AS amount, count(*) AS transactions FROM transactions
WHERE org_id = $1 AND cause_kind = 'campaign' AND cause_id = $2 GROUP BY metric ORDER BY metric;

-- name: taking_part
-- The members who take part in a campaign, in a stable order.
SELECT member_id, user_id, state FROM progress JOIN members USING (bucket, member_id)
WHERE kind = 'campaign' AND key = $2 AND members.org_id = $1 AND member_id > $3 AND erased_at IS NULL
ORDER BY member_id LIMIT $4;

-- name: leaderboard
-- The members who have completed a campaign most often. Ties: the member who got there first.
SELECT user_id, (state ->> 0)::bigint AS completions, (state ->> 1)::timestamptz AS last_at
FROM progress JOIN members USING (bucket, member_id)
WHERE kind = 'campaign' AND key = $2 AND members.org_id = $1 AND (state ->> 0)::bigint > 0 AND erased_at IS NULL
ORDER BY completions DESC, last_at, member_id LIMIT $3;
