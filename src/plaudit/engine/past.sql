-- name: events_of_members
-- The processed events with these triggers, of these members.
SELECT events.* FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, member_id) JOIN events USING (bucket, member_id)
WHERE trigger = ANY($3::text[]) AND state = 'processed' ORDER BY position;

-- name: being_imported
-- Which of these members have history that is being imported: time stands still for them (as in timers.sql).
SELECT DISTINCT i.member_id FROM unnest($1::smallint[], $2::uuid[]) AS evaluated (bucket, member_id)
JOIN importing_members AS i USING (bucket, member_id) JOIN jobs USING (job_id)
WHERE state IN ('running', 'failed') AND jobs.moved_at > now() - interval '1 hour';
