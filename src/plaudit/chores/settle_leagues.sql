-- name: leagues
-- Leagues, with the minutes after the end of a round when it is settled: competitions, and those in a campaign.
SELECT org_id, id, version, (part ->> 'settleAfterMinutes')::int AS minutes FROM documents
CROSS JOIN LATERAL (SELECT CASE kind WHEN 'campaign' THEN doc -> 'competition' ELSE doc END AS part) AS ranking
WHERE (kind = 'competition' OR (kind = 'campaign' AND doc -> 'competition' <> 'null'))
    AND coalesce(part -> 'leagues', 'null') <> 'null' AND doc ->> 'status' IN ('active', 'completed');

-- name: round_settled
-- Whether a round of a league has been settled.
SELECT EXISTS (SELECT FROM league_rounds WHERE org_id = $1 AND competition_id = $2 AND round = $3);

-- name: rounds_played
-- The unsettled rounds before $3 in which a member has scored.
SELECT DISTINCT played.round FROM standings, LATERAL (VALUES (round), (previous_round)) AS played (round)
WHERE org_id = $1 AND competition_id = $2 AND played.round <> '' AND played.round < $3
    AND NOT EXISTS (SELECT FROM league_rounds AS r WHERE r.org_id = $1 AND r.competition_id = $2 AND r.round = played.round)
ORDER BY played.round;

-- name: places_of_round
-- The places of a round in each division, with the division's number of members. Ties: the first to reach the score.
SELECT member_id, user_id, scope, score, reached_at, rank() OVER places AS rank, count(*) OVER (PARTITION BY scope) AS members FROM (
    SELECT member_id, user_id, scope, score, reached_at FROM standings
    WHERE org_id = $1 AND competition_id = $2 AND round = $3
    UNION ALL SELECT member_id, user_id, scope, previous_score, previous_reached_at FROM standings
    WHERE org_id = $1 AND competition_id = $2 AND previous_round = $3
) AS played WINDOW places AS (PARTITION BY scope ORDER BY score DESC, reached_at, member_id);

-- name: settle_round
-- Store the result of a round, once.
INSERT INTO league_rounds (org_id, competition_id, round, settled_at, result) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (org_id, competition_id, round) DO NOTHING RETURNING round;

-- name: waits_before
-- Whether an event from before $2 is not decided yet, or (if $3) a timer that was due before $2 has not run.
SELECT EXISTS (SELECT FROM inbox WHERE org_id = $1 AND occurred_at < $2)
    OR ($3 AND EXISTS (SELECT FROM members WHERE org_id = $1 AND due_at < $2));

-- name: prizes_wait
-- Whether the prize or move of an earlier round of a league is not decided yet for some member.
SELECT EXISTS (SELECT FROM inbox WHERE org_id = $1 AND kind = 'prize' AND starts_with(event_key, $2));

-- name: next_due
-- The next time after $2 when a timer of an organisation's members is due. Timers overdue before $2 wait for a reason.
SELECT min(due_at) FROM members WHERE org_id = $1 AND due_at > $2;
