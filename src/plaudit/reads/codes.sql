-- name: totals
-- How many codes of these pools are in each state.
SELECT pool_id, state, count(*) AS number FROM codes
WHERE org_id = $1 AND pool_id = ANY($2::text[]) GROUP BY pool_id, state;

-- name: taken
-- How much of these products' stock has been taken.
SELECT key, quantity FROM claimed WHERE org_id = $1 AND kind = 'stock' AND key = ANY($2::text[]);
