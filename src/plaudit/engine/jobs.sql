-- name: begin
-- A new job.
INSERT INTO jobs (job_id, org_id, kind, state, begun_at, begun_by, moved_at) VALUES ($1, $2, $3, 'running', $4, $5, $4);

-- name: take_up
-- A job that stopped.
UPDATE jobs SET state = 'running', moved_at = $4 WHERE org_id = $1 AND job_id = $2 AND kind = $3
RETURNING lines, accepted, refused, result;

-- name: move
-- How far a job is.
UPDATE jobs SET lines = $2, accepted = $3, refused = $4, moved_at = $5, result = $6 WHERE job_id = $1;

-- name: end
-- A job is over.
UPDATE jobs SET state = $2, moved_at = $3 WHERE job_id = $1;

-- name: add_errors
-- Lines that were refused.
INSERT INTO job_errors (job_id, line, message, fields) SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::json[])
ON CONFLICT (job_id, line) DO NOTHING;

-- name: one
-- A job.
SELECT * FROM jobs WHERE org_id = $1 AND job_id = $2;

-- name: newest
-- The jobs of an organisation before one, newest first: their ids are in the order of their times.
SELECT * FROM jobs WHERE org_id = $1 AND job_id < $2 ORDER BY job_id DESC LIMIT $3;

-- name: errors
-- The refused lines of a job, in order.
SELECT line, message, fields FROM job_errors WHERE job_id = $1 AND line > $2 ORDER BY line LIMIT $3;
