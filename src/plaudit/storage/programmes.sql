-- name: all_now
-- Everything that a programme is compiled from.
SELECT kind, id, doc FROM documents WHERE org_id = $1 ORDER BY ordinal;

-- name: all_at_version
-- Everything that a programme was compiled from at one of its versions.
SELECT kind, id, doc FROM (
    SELECT DISTINCT ON (kind, id) kind, id, ordinal, doc FROM document_versions
    WHERE org_id = $1 AND program_version <= $2
    ORDER BY kind, id, program_version DESC
) AS latest WHERE doc IS NOT NULL ORDER BY ordinal;

-- name: reach_version
-- Raise an organisation's version to this one, at least.
UPDATE orgs SET program_version = $2 WHERE org_id = $1 AND program_version < $2;

-- name: announce_change
-- Notify the processes that listen on the channel $1 of a changed programme, when the change is committed.
SELECT pg_notify($1, $2::uuid::text);

-- name: program_versions
-- The versions of these organisations' programmes as they are now, and how far the organisations' clocks are ahead.
SELECT org_id, program_version, clock_offset FROM orgs WHERE org_id = ANY($1::uuid[]);

-- name: clock_offset
-- How far an organisation's clock is ahead.
SELECT clock_offset FROM orgs WHERE org_id = $1;

-- name: clock_moves
-- How an organisation's clock came to be as far ahead as it is.
SELECT moved_at, offset_before, offset_after FROM clock_moves WHERE org_id = $1 ORDER BY moved_at;
