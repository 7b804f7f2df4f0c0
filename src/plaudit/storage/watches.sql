-- name: watch
-- Watch these buckets: commits announce their changed members until the watch ends.
INSERT INTO watches (bucket, until) SELECT bucket, now() + $2 FROM unnest($1::smallint[]) AS bucket ORDER BY bucket
ON CONFLICT (bucket) DO UPDATE SET until = greatest(watches.until, excluded.until);
