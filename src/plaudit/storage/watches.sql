-- name: watch
-- Have commits say what changes in these buckets, for a while.
INSERT INTO watches (bucket, until) SELECT bucket, now() + $2 FROM unnest($1::smallint[]) AS bucket ORDER BY bucket
ON CONFLICT (bucket) DO UPDATE SET until = greatest(watches.until, excluded.until);
