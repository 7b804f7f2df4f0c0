-- name: due
-- Members of these buckets for whom something is due by their organisation's clock. What is overdue by more than a
-- minute waits until its bucket has been quiet for a while: history is being imported, and has its own order.
SELECT members.bucket, member_id, user_id, members.org_id, now() + clock_offset AS now
FROM members JOIN orgs USING (org_id) JOIN positions USING (bucket)
WHERE members.bucket = ANY($1::smallint[])
    -- The index can only be asked for a bound that is the same for all: that of the clock that is furthest ahead.
    AND due_at <= (SELECT now() + max(clock_offset) FROM orgs) AND due_at <= now() + clock_offset
    AND (due_at > now() + clock_offset - interval '1 minute' OR moved_at < now() - interval '10 seconds')
    -- OFFSET 0: asked of one bucket for each member, rather than of the whole inbox.
    AND NOT EXISTS (
        SELECT FROM inbox WHERE inbox.bucket = members.bucket AND inbox.member_id = members.member_id OFFSET 0
    )
    -- Whose history is being imported: time goes on for them when the import has ended (an hour: jobs.ABANDONED_AFTER).
    AND NOT EXISTS (
        SELECT FROM importing_members AS i JOIN jobs USING (job_id)
        WHERE (i.bucket, i.member_id) = (members.bucket, members.member_id)
            AND state IN ('running', 'failed') AND jobs.moved_at > now() - interval '1 hour'
    )
ORDER BY due_at LIMIT $2;

-- name: due_of_org
-- Members of an organisation for whom something is due by its clock, and whose history is not being imported.
SELECT bucket, member_id, user_id, org_id FROM members
WHERE org_id = $1 AND due_at <= $2 AND NOT EXISTS (
    SELECT FROM importing_members AS i JOIN jobs USING (job_id)
    WHERE (i.bucket, i.member_id) = (members.bucket, members.member_id)
        AND state IN ('running', 'failed') AND jobs.moved_at > now() - interval '1 hour'
)
ORDER BY due_at LIMIT $3;
