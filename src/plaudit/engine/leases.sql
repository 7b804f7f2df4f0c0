-- name: seen
-- A worker is alive. The server's clock serves all: workers on several machines must agree.
INSERT INTO workers (worker_id, started_at, seen_at) VALUES ($1, now(), now())
ON CONFLICT (worker_id) DO UPDATE SET seen_at = now();

-- name: forget_dead
-- Workers that have not been heard of for so long that their leases have run out.
DELETE FROM workers WHERE seen_at < now() - make_interval(secs => $1);

-- name: alive
-- How many workers share the buckets.
SELECT count(*) FROM workers;

-- name: renew
-- Hold on to what is held.
UPDATE leases SET until = now() + make_interval(secs => $2) WHERE worker_id = $1 RETURNING bucket;

-- name: acquire
-- Take buckets that nobody holds, up to so many.
UPDATE leases SET worker_id = $1, until = now() + make_interval(secs => $2)
WHERE bucket IN (
    SELECT bucket FROM leases WHERE worker_id IS NULL OR until < now()
    ORDER BY bucket LIMIT $3 FOR UPDATE SKIP LOCKED
)
RETURNING bucket;

-- name: release
-- Let go of buckets.
UPDATE leases SET worker_id = NULL, until = '-infinity' WHERE worker_id = $1 AND bucket = ANY($2::smallint[]);

-- name: gone
-- A worker stops: it is no longer counted.
DELETE FROM workers WHERE worker_id = $1;
