-- name: take
-- Reserve requests of a window. Return how many are used in total.
INSERT INTO rate_windows AS w (key, ends_at, used) VALUES ($1, $2, $3)
ON CONFLICT (key) DO UPDATE SET
    used = CASE WHEN w.ends_at < excluded.ends_at THEN excluded.used ELSE w.used + excluded.used END,
    ends_at = greatest(w.ends_at, excluded.ends_at)
RETURNING used;

-- name: used
-- Return how many requests of a window are used.
SELECT used FROM rate_windows WHERE key = $1 AND ends_at = $2;
