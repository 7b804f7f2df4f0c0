-- name: put_claimed
-- What was taken of a limit or of stock, before anything was here.
INSERT INTO claimed (org_id, kind, key, quantity) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING true;

-- name: same_claimed
-- Whether it is so here.
SELECT EXISTS (SELECT FROM claimed WHERE (org_id, kind, key, quantity) = ($1, $2, $3, $4));

-- name: put_code
-- A code that nobody has.
INSERT INTO codes (org_id, pool_id, code, state) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING true;

-- name: same_code
-- Whether it is here, though it may have been given out since.
SELECT EXISTS (SELECT FROM codes WHERE (org_id, pool_id, code) = ($1, $2, $3) AND $4::text IS NOT NULL);

-- name: put_contest
-- A competition's seed, in place of one that was drawn here and has decided nothing.
INSERT INTO competition_results AS c (org_id, competition_id, seed, opened_at, settled_at, result) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (org_id, competition_id) DO UPDATE SET seed = excluded.seed, opened_at = excluded.opened_at,
    settled_at = excluded.settled_at, result = excluded.result
WHERE c.settled_at IS NULL AND c.seed <> excluded.seed RETURNING true;

-- name: same_contest
-- Whether it is so here.
SELECT EXISTS (
    SELECT FROM competition_results WHERE (org_id, competition_id, seed, opened_at) = ($1, $2, $3, $4)
        AND settled_at IS NOT DISTINCT FROM $5 AND result::text IS NOT DISTINCT FROM $6
);

-- name: put_round
-- A round of a league that is over.
INSERT INTO league_rounds (org_id, competition_id, round, settled_at, result) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING true;

-- name: same_round
-- Whether it is so here.
SELECT EXISTS (
    SELECT FROM league_rounds WHERE (org_id, competition_id, round, settled_at) = ($1, $2, $3, $4) AND result::text = $5
);

-- name: put_fill
-- A segment that was filled: also where filling it has begun here.
INSERT INTO segment_fills AS f (org_id, segment_id, version, bucket, looked_at, changed, finished_at)
VALUES ($1, $2, $3, 0, $4, $5, $6)
ON CONFLICT (org_id, segment_id) DO UPDATE SET version = excluded.version, looked_at = excluded.looked_at,
    changed = excluded.changed, finished_at = excluded.finished_at
WHERE (f.version, f.looked_at, f.changed) <> (excluded.version, excluded.looked_at, excluded.changed)
    OR f.finished_at IS DISTINCT FROM excluded.finished_at
RETURNING true;

-- name: same_fill
-- Whether it is so here.
SELECT EXISTS (
    SELECT FROM segment_fills WHERE (org_id, segment_id, version, looked_at, changed) = ($1, $2, $3, $4, $5)
        AND finished_at = $6
);
