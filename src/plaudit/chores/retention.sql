-- name: clear_idempotency_keys
-- Delete rows that are older than a day. Skip rows that a request is using.
WITH old AS (
    SELECT org_id, key FROM idempotency_keys WHERE begun_at < $1 ORDER BY begun_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_keys AS k USING old WHERE k.org_id = old.org_id AND k.key = old.key;

-- name: clear_rate_windows
-- Delete the expired windows in one page of the table. Pages follow the key, because an index on the ends of windows would
-- slow down every request. Return the page's last key and number of rows.
WITH page AS MATERIALIZED (
    SELECT key FROM rate_windows WHERE key > $3 ORDER BY key LIMIT $2
), deleted AS (
    DELETE FROM rate_windows AS w USING page WHERE w.key = page.key AND w.ends_at < $1
)
SELECT max(key) AS last, count(*) AS rows FROM page;

-- name: clear_job_errors
-- Delete the refused lines of old jobs.
WITH old AS (
    SELECT job_id FROM jobs WHERE moved_at < $1 ORDER BY job_id
), lines AS (
    SELECT e.job_id, e.line FROM old CROSS JOIN LATERAL (
        SELECT job_id, line FROM job_errors WHERE job_errors.job_id = old.job_id ORDER BY line LIMIT $2
    ) AS e LIMIT $2
)
DELETE FROM job_errors AS e USING lines WHERE e.job_id = lines.job_id AND e.line = lines.line;

-- name: clear_jobs
-- Delete old jobs, once their refused lines are deleted.
WITH old AS (
    SELECT job_id FROM jobs WHERE moved_at < $1
        AND NOT EXISTS (SELECT FROM job_errors AS e WHERE e.job_id = jobs.job_id)
    ORDER BY job_id LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM jobs USING old WHERE jobs.job_id = old.job_id;

-- name: clear_signing_keys
-- Delete private keys whose last tokens have expired.
DELETE FROM signing_keys WHERE kid IN (SELECT kid FROM signing_keys WHERE retired_at < $1 ORDER BY kid LIMIT $2);

-- name: clear_watches
-- Delete watches that ended long ago.
DELETE FROM watches WHERE bucket IN (SELECT bucket FROM watches WHERE until < $1 ORDER BY bucket LIMIT $2);

-- name: clear_importing_members
-- Delete the members of imports that have ended, or made no progress for a day: their timers no longer wait.
WITH ended AS (
    SELECT job_id FROM jobs WHERE state IN ('finished', 'cancelled') OR moved_at < $1
), old AS (
    SELECT i.bucket, i.member_id, i.job_id FROM ended CROSS JOIN LATERAL (
        SELECT bucket, member_id, job_id FROM importing_members WHERE importing_members.job_id = ended.job_id LIMIT $2
    ) AS i LIMIT $2
)
DELETE FROM importing_members AS i USING old
WHERE (i.bucket, i.member_id, i.job_id) = (old.bucket, old.member_id, old.job_id);
