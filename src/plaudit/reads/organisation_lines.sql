-- name: claimed_after
-- The used quantities of overall limits, or of stock.
SELECT key, quantity FROM claimed
WHERE org_id = $1 AND kind = $2 AND key COLLATE "C" > $3 ORDER BY key COLLATE "C" LIMIT $4;

-- name: results_after
-- Competitions' seeds and results.
SELECT competition_id AS key, seed, opened_at, settled_at, result FROM competition_results
WHERE org_id = $1 AND competition_id COLLATE "C" > $2 ORDER BY competition_id COLLATE "C" LIMIT $3;

-- name: rounds_after
-- The settled rounds of leagues.
SELECT competition_id || '/' || round AS key, settled_at, result FROM league_rounds
WHERE org_id = $1 AND (competition_id COLLATE "C", round COLLATE "C") > ($2, $3)
ORDER BY competition_id COLLATE "C", round COLLATE "C" LIMIT $4;

-- name: fills_after
-- Segments that have been filled.
SELECT segment_id AS key, version, looked_at, changed, finished_at FROM segment_fills
WHERE org_id = $1 AND finished_at IS NOT NULL AND segment_id COLLATE "C" > $2 ORDER BY segment_id COLLATE "C" LIMIT $3;

-- name: codes_after
-- The unissued codes, pool by pool in order of issue.
SELECT pool_id || '/' || code AS key, ordinal FROM codes
WHERE org_id = $1 AND state = 'available' AND (pool_id, ordinal) > ($2, $3) ORDER BY pool_id, ordinal LIMIT $4;

-- name: code_at
-- The position of a code in that order.
SELECT ordinal FROM codes WHERE org_id = $1 AND pool_id = $2 AND code = $3;

-- name: expired_codes_after
-- The codes that expired unissued.
SELECT pool_id || '/' || code AS key FROM codes
WHERE org_id = $1 AND state = 'expired' AND (pool_id, code) > ($2, $3) ORDER BY pool_id, code LIMIT $4;
