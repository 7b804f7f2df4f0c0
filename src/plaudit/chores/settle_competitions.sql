-- name: open_contest
-- Store the seed of a competition, unless it has one.
INSERT INTO competition_results (org_id, competition_id, seed, opened_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (org_id, competition_id) DO NOTHING;

-- name: lock_contest
-- A competition's seed and result, locked until the commit.
SELECT seed, settled_at, result FROM competition_results WHERE org_id = $1 AND competition_id = $2 FOR UPDATE;

-- name: settle_contest
-- Store the final result with the winners.
UPDATE competition_results SET settled_at = $3, result = $4 WHERE org_id = $1 AND competition_id = $2;

-- name: unopened
-- Competitions that have no seed yet.
SELECT documents.org_id, id FROM documents LEFT JOIN competition_results ON competition_results.org_id = documents.org_id AND competition_id = id
WHERE (kind = 'competition' OR (kind = 'campaign' AND doc -> 'competition' <> 'null')) AND seed IS NULL LIMIT 100;

-- name: ended
-- Rankings that have ended by their organisation's clock and whose prizes are not paid yet: competitions, and those that
-- are a part of a campaign. Events from before the end must be decided first.
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
-- The first places of a ranking. Ties: the member who reached the score first.
SELECT member_id, user_id, score, reached_at FROM standings WHERE org_id = $1 AND competition_id = $2
ORDER BY score DESC, reached_at, member_id LIMIT $3;

-- name: tickets
-- All entries in a competition.
SELECT member_id, user_id, entries FROM entries JOIN members USING (bucket, member_id)
WHERE competition_id = $2 AND members.org_id = $1;
