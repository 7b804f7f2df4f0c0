-- name: seen
-- Record that a worker is alive. The database's clock counts, as the clocks of several machines can differ.
INSERT INTO workers (worker_id, started_at, seen_at) VALUES ($1, now(), now())
ON CONFLICT (worker_id) DO UPDATE SET seen_at = now();

-- name: forget_dead
-- Delete workers that were last seen so long ago that their leases have expired.
DELETE FROM workers WHERE seen_at < now() - make_interval(secs => $1);

-- name: alive
-- Count the workers that share the buckets.
SELECT count(*) FROM workers;

-- name: renew
-- Renew the worker's leases.
UPDATE leases SET until = now() + make_interval(secs => $2) WHERE worker_id = $1 RETURNING bucket;

-- name: acquire
-- Lease up to $3 buckets that no worker holds.
UPDATE leases SET worker_id = $1, until = now() + make_interval(secs => $2)
WHERE bucket IN (
    SELECT bucket FROM leases WHERE worker_id IS NULL OR until < now()
    ORDER BY bucket LIMIT $3 FOR UPDATE SKIP LOCKED
)
RETURNING bucket;

-- name: release
-- Release leases.
UPDATE leases SET worker_id = NULL, until = '-infinity' WHERE worker_id = $1 AND bucket = ANY($2::smallint[]);

-- name: remove_worker
-- Delete a worker that stops.
DELETE FROM workers WHERE worker_id = $1;
