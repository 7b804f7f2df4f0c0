-- name: leagues
-- Leagues, with how long after a round it is settled: competitions, and those that are a part of a campaign.
SELECT org_id, id, version, (part ->> 'settleAfterMinutes')::int AS minutes FROM documents
CROSS JOIN LATERAL (SELECT CASE kind WHEN 'campaign' THEN doc -> 'competition' ELSE doc END AS part) AS ranking
WHERE (kind = 'competition' OR (kind = 'campaign' AND doc -> 'competition' <> 'null'))
    AND coalesce(part -> 'leagues', 'null') <> 'null' AND doc ->> 'status' IN ('active', 'completed');

-- name: round_settled
-- Whether a round of a league has been settled.
SELECT EXISTS (SELECT FROM league_rounds WHERE org_id = $1 AND competition_id = $2 AND round = $3);

-- name: rounds_played
-- The rounds before one that somebody scored in and that are not settled.
SELECT DISTINCT played.round FROM standings, LATERAL (VALUES (round), (previous_round)) AS played (round)
WHERE org_id = $1 AND competition_id = $2 AND played.round <> '' AND played.round < $3
    AND NOT EXISTS (SELECT FROM league_rounds AS r WHERE r.org_id = $1 AND r.competition_id = $2 AND r.round = played.round)
ORDER BY played.round;

-- name: places_of_round
-- The places of a round in each division: of equals, who got there first; and how many there are in it.
SELECT member_id, user_id, scope, score, reached_at, rank() OVER places AS rank, count(*) OVER (PARTITION BY scope) AS members FROM (
    SELECT member_id, user_id, scope, score, reached_at FROM standings
    WHERE org_id = $1 AND competition_id = $2 AND round = $3
    UNION ALL SELECT member_id, user_id, scope, previous_score, previous_reached_at FROM standings
    WHERE org_id = $1 AND competition_id = $2 AND previous_round = $3
) AS played WINDOW places AS (PARTITION BY scope ORDER BY score DESC, reached_at, member_id);

-- name: settle_round
-- Who moved or won in a round; once.
INSERT INTO league_rounds (org_id, competition_id, round, settled_at, result) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (org_id, competition_id, round) DO NOTHING RETURNING round;

-- name: waits_before
-- Whether anything that happened before an instant waits to be decided, or (if $3) has fallen due by then and not been seen to.
SELECT EXISTS (SELECT FROM inbox WHERE org_id = $1 AND occurred_at < $2)
    OR ($3 AND EXISTS (SELECT FROM members WHERE org_id = $1 AND due_at < $2));

-- name: prizes_wait
-- Whether somebody who has moved or won in an earlier round of a league has not been told yet.
SELECT EXISTS (SELECT FROM inbox WHERE org_id = $1 AND kind = 'prize' AND starts_with(event_key, $2));

-- name: next_due
-- When something falls due next to a member of an organisation, after an instant: what waits longer does so for a reason.
SELECT min(due_at) FROM members WHERE org_id = $1 AND due_at > $2;
