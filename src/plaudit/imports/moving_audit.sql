-- name: existing_versions
-- Which of these document versions exist.
SELECT v.* FROM unnest($2::text[], $3::text[], $4::bigint[]) AS requested (kind, id, program_version)
JOIN document_versions AS v USING (kind, id, program_version) WHERE org_id = $1;

-- name: last_version
-- The latest version of any document.
SELECT program_version, ordinal FROM document_versions WHERE org_id = $1
ORDER BY program_version DESC, ordinal DESC LIMIT 1;

-- name: is_untouched
-- Whether an organisation has only the documents that it was created with, and no members or events.
SELECT NOT EXISTS (
    SELECT FROM document_versions WHERE org_id = $1 AND (changed_by <> 'plaudit' OR change <> 'created')
) AND NOT EXISTS (SELECT FROM members WHERE org_id = $1) AND NOT EXISTS (SELECT FROM events WHERE org_id = $1)
AND NOT EXISTS (SELECT FROM inbox WHERE org_id = $1);

-- name: clear
-- Delete the documents that an organisation was created with. (References are deleted with their documents.)
WITH versions_removed AS (DELETE FROM document_versions WHERE org_id = $1),
    version_reset AS (UPDATE orgs SET program_version = 0 WHERE org_id = $1)
DELETE FROM documents WHERE org_id = $1;

-- name: insert_versions
-- Insert document versions.
INSERT INTO document_versions (
    org_id, kind, id, version, ordinal, program_version, change, doc, changed_at, changed_by
)
SELECT $1, * FROM unnest(
    $2::text[], $3::text[], $4::integer[], $5::bigint[], $6::bigint[], $7::text[], $8::jsonb[], $9::timestamptz[], $10::text[]
);

-- name: forget_documents
-- Delete these documents, to be replaced by their latest versions.
DELETE FROM documents USING unnest($2::text[], $3::text[]) AS replaced (kind, id)
WHERE org_id = $1 AND documents.kind = replaced.kind AND documents.id = replaced.id;

-- name: put_documents
-- Insert these documents as of their latest versions, with their ordinals of creation.
INSERT INTO documents (org_id, kind, id, ordinal, version, doc, created_at, created_by, updated_at)
OVERRIDING SYSTEM VALUE
SELECT last.org_id, last.kind, last.id, last.ordinal, last.version, last.doc, first.changed_at, first.changed_by, last.changed_at
FROM unnest($2::text[], $3::text[]) AS requested (kind, id), LATERAL (
    SELECT * FROM document_versions AS v WHERE (v.org_id, v.kind, v.id) = ($1, requested.kind, requested.id)
    ORDER BY program_version DESC LIMIT 1
) AS last, LATERAL (
    SELECT changed_at, changed_by FROM document_versions AS v
    WHERE (v.org_id, v.kind, v.id, v.ordinal) = ($1, requested.kind, requested.id, last.ordinal) ORDER BY program_version LIMIT 1
) AS first WHERE last.change <> 'deleted';

-- name: advance_ordinal
-- Give documents that are created from now on higher ordinals.
SELECT setval(pg_get_serial_sequence('documents', 'ordinal'), greatest(nextval(pg_get_serial_sequence('documents', 'ordinal')), max(ordinal)))
FROM documents;
