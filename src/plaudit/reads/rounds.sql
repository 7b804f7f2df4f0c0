-- name: settled
-- A settled round of a league: the named one, or the latest.
SELECT round, settled_at, result FROM league_rounds
WHERE org_id = $1 AND competition_id = $2 AND ($3::text IS NULL OR round = $3) ORDER BY round DESC LIMIT 1;

-- name: unsettled
-- The places of a division in a round that is not settled yet.
SELECT user_id, score, reached_at, rank() OVER (ORDER BY score DESC, reached_at, member_id) AS rank,
    count(*) OVER () AS members
FROM (
    SELECT member_id, user_id, score, reached_at FROM standings
    WHERE org_id = $1 AND competition_id = $2 AND round = $3 AND scope = $4
    UNION ALL SELECT member_id, user_id, previous_score, previous_reached_at FROM standings
    WHERE org_id = $1 AND competition_id = $2 AND previous_round = $3 AND scope = $4
) AS played ORDER BY rank LIMIT $5;
