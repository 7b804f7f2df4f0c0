-- name: changed
-- The standings of a competition that have changed since these positions of the buckets, and the buckets' current
-- positions. A bucket's positions are assigned under its lock, so rows that become visible later have higher ones.
SELECT w.bucket, p.position AS now, s.member_id, s.user_id, s.score, s.reached_at, s.scope, s.round
FROM unnest($3::smallint[], $4::bigint[]) AS w (bucket, seen) JOIN positions AS p USING (bucket)
LEFT JOIN LATERAL (
    SELECT member_id, user_id, score, reached_at, scope, round FROM standings
    WHERE org_id = $1 AND competition_id = $2 AND standings.bucket = w.bucket AND standings.position > w.seen
) AS s ON true
WHERE p.position > w.seen;

-- name: entries
-- The entries in a competition, in a stable order.
SELECT member_id, user_id, entries FROM entries JOIN members USING (bucket, member_id)
WHERE competition_id = $2 AND members.org_id = $1 AND member_id > $3 ORDER BY member_id LIMIT $4;

-- name: contest
-- The seed and the result of a competition.
SELECT seed, opened_at, settled_at, result FROM competition_results WHERE org_id = $1 AND competition_id = $2;

-- name: standings_of_member
-- The competitions that a member has a score in, with the scope and the round.
SELECT competition_id, scope, round FROM standings WHERE bucket = $1 AND member_id = $2;
