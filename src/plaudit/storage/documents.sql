-- name: next_program_version
-- Take the organisation's turn to change: whoever holds this row makes the next version of the programme.
UPDATE orgs SET program_version = program_version + 1 WHERE org_id = $1 RETURNING program_version;

-- name: insert_document
-- A new document; no row comes back when its id is taken.
INSERT INTO documents (org_id, kind, id, version, doc, created_at, created_by, updated_at)
VALUES ($1, $2, $3, 1, $4, $5, $6, $5)
ON CONFLICT (org_id, kind, id) DO NOTHING
RETURNING id, version, ordinal, doc, created_at, created_by, updated_at;

-- name: update_document
-- Another version of a document.
UPDATE documents SET doc = $4, version = version + 1, updated_at = $5
WHERE org_id = $1 AND kind = $2 AND id = $3
RETURNING id, version, ordinal, doc, created_at, created_by, updated_at;

-- name: delete_document
-- Take a document away; its references go with it.
DELETE FROM documents WHERE org_id = $1 AND kind = $2 AND id = $3 RETURNING version, ordinal;

-- name: insert_version
-- Keep what the document is after a change, for ever.
INSERT INTO document_versions
    (org_id, kind, id, version, ordinal, program_version, change, doc, changed_at, changed_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: delete_references
-- What a document named until now.
DELETE FROM document_references WHERE org_id = $1 AND kind = $2 AND id = $3;

-- name: insert_references
-- What a document names, field by field.
INSERT INTO document_references (org_id, kind, id, field, to_kind, to_id, required)
SELECT $1, $2, $3, * FROM unnest($4::text[], $5::text[], $6::text[], $7::boolean[]);

-- name: existing
-- Which of these documents are there.
SELECT kind, id FROM documents JOIN unnest($2::text[], $3::text[]) AS asked (kind, id) USING (kind, id)
WHERE org_id = $1;

-- name: referring
-- Who names this document.
SELECT kind, id, field FROM document_references WHERE org_id = $1 AND to_kind = $2 AND to_id = $3
ORDER BY kind, id, field LIMIT 10;

-- name: one
-- One document.
SELECT id, version, ordinal, doc, created_at, created_by, updated_at
FROM documents WHERE org_id = $1 AND kind = $2 AND id = $3;

-- name: page
-- A page of a kind in the order of creation, of those whose fields are as asked ($4 as a JSON object).
SELECT id, version, ordinal, doc, created_at, created_by, updated_at
FROM documents WHERE org_id = $1 AND kind = $2 AND ordinal > $3 AND doc @> $4
ORDER BY ordinal LIMIT $5;

-- name: versions
-- The versions of a document, newest first, also of one that is gone.
SELECT version, change, doc, changed_at, changed_by, program_version
FROM document_versions WHERE org_id = $1 AND kind = $2 AND id = $3 AND program_version < $4
ORDER BY program_version DESC LIMIT $5;

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

-- name: program_version
-- The version of the programme as it is now, and how far the organisation's clock is ahead.
SELECT program_version, clock_offset FROM orgs WHERE org_id = $1;

-- name: program_versions
-- The versions of these organisations' programmes as they are now.
SELECT org_id, program_version, clock_offset FROM orgs WHERE org_id = ANY($1::uuid[]);

-- name: announce
-- Tell every process that an organisation's programme has changed, when the change is committed.
SELECT pg_notify('plaudit_programs', $1::text);

-- name: guard_metric
-- Whether members have something of a metric: their books would be orphaned.
SELECT EXISTS (
    SELECT FROM balances JOIN members USING (bucket, member_id) WHERE org_id = $1 AND metric = $2
);

-- name: guard_code_pool
-- Whether codes of a pool are in members' hands.
SELECT EXISTS (SELECT FROM codes WHERE org_id = $1 AND pool_id = $2 AND state IN ('allocated', 'redeemed'));

-- name: delete_codes
-- The codes of a pool that goes.
DELETE FROM codes WHERE org_id = $1 AND pool_id = $2;

-- name: tell_webhooks
-- A message to webhooks, if there is one that wants it.
INSERT INTO outbox (org_id, message_id, type, payload, created_at) SELECT $1, $2, $3, $4, $5
WHERE EXISTS (
    SELECT FROM documents WHERE org_id = $1 AND kind = 'webhook' AND doc ->> 'status' = 'active'
        AND (doc -> 'events' ? $3 OR doc -> 'events' ? '*')
)
RETURNING pg_notify('plaudit_outbox', '');

-- name: orphans
-- References that lead nowhere and must lead somewhere.
SELECT r.kind, r.id, r.field, r.to_kind, r.to_id FROM document_references AS r
LEFT JOIN documents AS d ON d.org_id = r.org_id AND d.kind = r.to_kind AND d.id = r.to_id
WHERE r.org_id = $1 AND r.required AND d.id IS NULL ORDER BY r.kind, r.id, r.field LIMIT 10;

-- name: origins
-- The origins of web pages that organisations have settled, one list each.
SELECT DISTINCT doc #>> '{cors,origins}' AS origins FROM documents
WHERE kind = 'settings' AND doc #>> '{cors,origins}' IS NOT NULL;
