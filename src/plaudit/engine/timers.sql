-- name: due
-- Members of these buckets with timers due by their organisation's clock. A timer that is overdue by more than a minute
-- waits until its bucket has been idle for a while: history may still be arriving, and timers must run in its order.
SELECT members.bucket, member_id, user_id, members.org_id, now() + clock_offset AS now
FROM members JOIN orgs USING (org_id) JOIN positions USING (bucket)
WHERE members.bucket = ANY($1::smallint[])
    -- An index scan needs one bound for all members: that of the organisation whose clock is furthest ahead.
    AND due_at <= (SELECT now() + max(clock_offset) FROM orgs) AND due_at <= now() + clock_offset
    AND (due_at > now() + clock_offset - interval '1 minute' OR moved_at < now() - interval '10 seconds')
    -- OFFSET 0 makes the planner look each member up in their bucket, instead of scanning the whole inbox.
    AND NOT EXISTS (
        SELECT FROM inbox WHERE inbox.bucket = members.bucket AND inbox.member_id = members.member_id OFFSET 0
    )
    -- Members whose history is being imported are left out until the import ends (an hour: jobs.ABANDONED_AFTER).
    AND NOT EXISTS (
        SELECT FROM importing_members AS i JOIN jobs USING (job_id)
        WHERE (i.bucket, i.member_id) = (members.bucket, members.member_id)
            AND state IN ('running', 'failed') AND jobs.moved_at > now() - interval '1 hour'
    )
ORDER BY due_at LIMIT $2;

-- name: due_of_org
-- Members of an organisation with due timers whose history is not being imported.
SELECT bucket, member_id, user_id, org_id FROM members
WHERE org_id = $1 AND due_at <= $2 AND NOT EXISTS (
    SELECT FROM importing_members AS i JOIN jobs USING (job_id)
    WHERE (i.bucket, i.member_id) = (members.bucket, members.member_id)
        AND state IN ('running', 'failed') AND jobs.moved_at > now() - interval '1 hour'
)
ORDER BY due_at LIMIT $3;
