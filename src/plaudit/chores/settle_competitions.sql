-- name: open_contest
-- Draw the seed of a competition, once.
INSERT INTO competition_results (org_id, competition_id, seed, opened_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (org_id, competition_id) DO NOTHING;

-- name: lock_contest
-- A competition's seed and result, held until the commit.
SELECT seed, settled_at, result FROM competition_results WHERE org_id = $1 AND competition_id = $2 FOR UPDATE;

-- name: settle_contest
-- The winners, in order; for good.
UPDATE competition_results SET settled_at = $3, result = $4 WHERE org_id = $1 AND competition_id = $2;

-- name: unopened
-- Competitions that have no seed yet.
SELECT documents.org_id, id FROM documents LEFT JOIN competition_results ON competition_results.org_id = documents.org_id AND competition_id = id
WHERE (kind = 'competition' OR (kind = 'campaign' AND doc -> 'competition' <> 'null')) AND seed IS NULL LIMIT 100;

-- name: ended
-- Rankings that are over, by their organisation's clock, and have prizes that nobody has got yet: competitions, and those
-- that are a part of a campaign. What happened before the end and waits to be decided comes first.
SELECT documents.org_id, id, version FROM documents JOIN orgs USING (org_id)
LEFT JOIN competition_results ON competition_results.org_id = documents.org_id AND competition_id = id
CROSS JOIN LATERAL (SELECT CASE kind WHEN 'campaign' THEN doc -> 'competition' ELSE doc END AS part) AS ranking
WHERE (kind = 'competition' OR (kind = 'campaign' AND doc -> 'competition' <> 'null'))
    AND part -> 'score' <> 'null' AND coalesce(part -> 'leagues', 'null') = 'null' AND jsonb_array_length(part -> 'prizes') > 0
    AND doc ->> 'status' IN ('active', 'completed') AND settled_at IS NULL
    AND (doc ->> 'endDate')::timestamptz + (part ->> 'settleAfterMinutes')::int * interval '1 minute' <= now() + clock_offset
    AND NOT EXISTS (
        SELECT FROM inbox WHERE inbox.org_id = documents.org_id AND occurred_at < (doc ->> 'endDate')::timestamptz
    )
LIMIT 100;

-- name: places
-- The first places of a ranking: of equals, who got there first.
SELECT member_id, user_id, score, reached_at FROM standings WHERE org_id = $1 AND competition_id = $2
ORDER BY score DESC, reached_at, member_id LIMIT $3;

-- name: tickets
-- All entries in a competition.
SELECT member_id, user_id, entries FROM entries JOIN members USING (bucket, member_id)
WHERE competition_id = $2 AND members.org_id = $1;

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
