-- name: all_now
-- All documents of a programme.
SELECT kind, id, doc FROM documents WHERE org_id = $1 ORDER BY ordinal;

-- name: all_at_version
-- All documents of a programme as of one of its versions.
SELECT kind, id, doc FROM (
    SELECT DISTINCT ON (kind, id) kind, id, ordinal, doc FROM document_versions
    WHERE org_id = $1 AND program_version <= $2
    ORDER BY kind, id, program_version DESC
) AS latest WHERE doc IS NOT NULL ORDER BY ordinal;

-- name: reach_version
-- Raise the programme's version to at least $2.
UPDATE orgs SET program_version = $2 WHERE org_id = $1 AND program_version < $2;

-- name: announce_change
-- Notify the processes that listen on the channel $1 that a programme has changed, when the change is committed.
SELECT pg_notify($1, $2::uuid::text);

-- name: program_versions
-- The current versions of these organisations' programmes, and how far their clocks are ahead.
SELECT org_id, program_version, clock_offset FROM orgs WHERE org_id = ANY($1::uuid[]);

-- name: clock_offset
-- How far an organisation's clock is ahead.
SELECT clock_offset FROM orgs WHERE org_id = $1;

-- name: clock_moves
-- The moves of an organisation's clock, in chronological order.
SELECT moved_at, offset_before, offset_after FROM clock_moves WHERE org_id = $1 ORDER BY moved_at;
