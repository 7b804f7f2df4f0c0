-- name: start
-- Insert a new job. `result` can hold what it needs to run.
INSERT INTO jobs (job_id, org_id, kind, state, begun_at, begun_by, moved_at, result)
VALUES ($1, $2, $3, 'running', $4, $5, $4, $6);

-- name: resume
-- Resume a job, unless it was cancelled.
UPDATE jobs SET state = 'running', moved_at = $4 WHERE org_id = $1 AND job_id = $2 AND kind = $3 AND state <> 'cancelled'
RETURNING lines, accepted, refused, result;

-- name: save_progress
-- Store a job's progress. A job that was cancelled meanwhile stays cancelled.
UPDATE jobs SET lines = $2, accepted = $3, refused = $4, moved_at = $5, result = $6,
    state = CASE state WHEN 'cancelled' THEN state ELSE $7 END
WHERE job_id = $1 RETURNING state;

-- name: finish
-- End a job. A job that was cancelled stays cancelled.
UPDATE jobs SET state = $2, moved_at = $3 WHERE job_id = $1 AND state <> 'cancelled';

-- name: cancel
-- Cancel a job that has not finished.
UPDATE jobs SET state = 'cancelled', moved_at = $3 WHERE org_id = $1 AND job_id = $2 AND state IN ('running', 'failed');

-- name: take_members
-- Record the members whose history a job imports, before the first of its events is decided.
INSERT INTO importing_members (bucket, member_id, job_id)
SELECT DISTINCT bucket, member_id, $3::uuid FROM unnest($1::smallint[], $2::uuid[]) AS taken (bucket, member_id)
ON CONFLICT DO NOTHING;

-- name: add_errors
-- Store refused lines.
INSERT INTO job_errors (job_id, line, message, fields) SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::json[])
ON CONFLICT (job_id, line) DO NOTHING;

-- name: one
-- A job.
SELECT * FROM jobs WHERE org_id = $1 AND job_id = $2;

-- name: newest
-- The jobs of an organisation before one, newest first: job ids are in chronological order.
SELECT * FROM jobs WHERE org_id = $1 AND job_id < $2 ORDER BY job_id DESC LIMIT $3;

-- name: errors
-- The refused lines of a job, in order.
SELECT line, message, fields FROM job_errors WHERE job_id = $1 AND line > $2 ORDER BY line LIMIT $3;
