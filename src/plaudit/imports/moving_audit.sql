-- name: versions_there
-- Which of these versions of documents there are.
SELECT v.* FROM unnest($2::text[], $3::text[], $4::bigint[]) AS asked (kind, id, program_version)
JOIN document_versions AS v USING (kind, id, program_version) WHERE org_id = $1;

-- name: last_version
-- The last version of any document.
SELECT program_version, ordinal FROM document_versions WHERE org_id = $1
ORDER BY program_version DESC, ordinal DESC LIMIT 1;

-- name: is_untouched
-- Whether an organisation has nothing but what it was created with.
SELECT NOT EXISTS (
    SELECT FROM document_versions WHERE org_id = $1 AND (changed_by <> 'plaudit' OR change <> 'created')
) AND NOT EXISTS (SELECT FROM members WHERE org_id = $1) AND NOT EXISTS (SELECT FROM events WHERE org_id = $1)
AND NOT EXISTS (SELECT FROM inbox WHERE org_id = $1);

-- name: clear
-- What an organisation was created with, gone. (References go with their documents.)
WITH versions_gone AS (DELETE FROM document_versions WHERE org_id = $1),
    version_gone AS (UPDATE orgs SET program_version = 0 WHERE org_id = $1)
DELETE FROM documents WHERE org_id = $1;

-- name: insert_versions
-- Versions of documents, as they were.
INSERT INTO document_versions (
    org_id, kind, id, version, ordinal, program_version, change, doc, changed_at, changed_by
)
SELECT $1, * FROM unnest(
    $2::text[], $3::text[], $4::integer[], $5::bigint[], $6::bigint[], $7::text[], $8::jsonb[], $9::timestamptz[], $10::text[]
);

-- name: forget_documents
-- These documents, to be put down as their last versions are.
DELETE FROM documents USING unnest($2::text[], $3::text[]) AS gone (kind, id)
WHERE org_id = $1 AND documents.kind = gone.kind AND documents.id = gone.id;

-- name: put_documents
-- These documents as their last versions are, each in its place in the order of creation.
INSERT INTO documents (org_id, kind, id, ordinal, version, doc, created_at, created_by, updated_at)
OVERRIDING SYSTEM VALUE
SELECT last.org_id, last.kind, last.id, last.ordinal, last.version, last.doc, first.changed_at, first.changed_by, last.changed_at
FROM unnest($2::text[], $3::text[]) AS asked (kind, id), LATERAL (
    SELECT * FROM document_versions AS v WHERE (v.org_id, v.kind, v.id) = ($1, asked.kind, asked.id)
    ORDER BY program_version DESC LIMIT 1
) AS last, LATERAL (
    SELECT changed_at, changed_by FROM document_versions AS v
    WHERE (v.org_id, v.kind, v.id, v.ordinal) = ($1, asked.kind, asked.id, last.ordinal) ORDER BY program_version LIMIT 1
) AS first WHERE last.change <> 'deleted';

-- name: number_on
-- Documents that are created from now on come after those.
SELECT setval(pg_get_serial_sequence('documents', 'ordinal'), greatest(nextval(pg_get_serial_sequence('documents', 'ordinal')), max(ordinal)))
FROM documents;
