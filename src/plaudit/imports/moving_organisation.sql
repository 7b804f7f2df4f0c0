-- name: put_claimed
-- Store how much of a limit or of stock has been used, unless it is already counted here.
INSERT INTO claimed (org_id, kind, key, quantity) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING true;

-- name: same_claimed
-- Whether the same use of a limit or of stock is stored.
SELECT EXISTS (SELECT FROM claimed WHERE (org_id, kind, key, quantity) = ($1, $2, $3, $4));

-- name: put_code
-- Store an unissued code.
INSERT INTO codes (org_id, pool_id, code, state) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING true;

-- name: same_code
-- Whether the code is stored, even if it has been issued since then.
SELECT EXISTS (SELECT FROM codes WHERE (org_id, pool_id, code) = ($1, $2, $3) AND $4::text IS NOT NULL);

-- name: put_contest
-- Store a competition's seed, or replace one that was generated here and has not been used.
INSERT INTO competition_results AS c (org_id, competition_id, seed, opened_at, settled_at, result) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (org_id, competition_id) DO UPDATE SET seed = excluded.seed, opened_at = excluded.opened_at,
    settled_at = excluded.settled_at, result = excluded.result
WHERE c.settled_at IS NULL AND c.seed <> excluded.seed RETURNING true;

-- name: same_contest
-- Whether the same seed and result are stored.
SELECT EXISTS (
    SELECT FROM competition_results WHERE (org_id, competition_id, seed, opened_at) = ($1, $2, $3, $4)
        AND settled_at IS NOT DISTINCT FROM $5 AND result::text IS NOT DISTINCT FROM $6
);

-- name: put_round
-- Store a settled round of a league.
INSERT INTO league_rounds (org_id, competition_id, round, settled_at, result) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING true;

-- name: same_round
-- Whether the same round is stored.
SELECT EXISTS (
    SELECT FROM league_rounds WHERE (org_id, competition_id, round, settled_at) = ($1, $2, $3, $4) AND result::text = $5
);

-- name: put_fill
-- Store that a segment was filled, even if filling it has started here.
INSERT INTO segment_fills AS f (org_id, segment_id, version, bucket, looked_at, changed, finished_at)
VALUES ($1, $2, $3, 0, $4, $5, $6)
ON CONFLICT (org_id, segment_id) DO UPDATE SET version = excluded.version, looked_at = excluded.looked_at,
    changed = excluded.changed, finished_at = excluded.finished_at
WHERE (f.version, f.looked_at, f.changed) <> (excluded.version, excluded.looked_at, excluded.changed)
    OR f.finished_at IS DISTINCT FROM excluded.finished_at
RETURNING true;

-- name: same_fill
-- Whether the same fill is stored.
SELECT EXISTS (
    SELECT FROM segment_fills WHERE (org_id, segment_id, version, looked_at, changed) = ($1, $2, $3, $4, $5)
        AND finished_at = $6
);
