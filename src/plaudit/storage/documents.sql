-- name: lock_organisation
-- Lock the organisation's programme against other changes, before it is known whether anything changes.
SELECT org_id FROM orgs WHERE org_id = $1 FOR NO KEY UPDATE;

-- name: next_program_version
-- Lock the organisation's programme against other changes, and count its version up.
UPDATE orgs SET program_version = program_version + 1 WHERE org_id = $1 RETURNING program_version;

-- name: insert_document
-- Insert a document, created at the time of the organisation's clock. Return no row if the id is taken.
INSERT INTO documents (org_id, kind, id, version, doc, created_at, created_by, updated_at)
VALUES (
    $1, $2, $3, 1, $4, $5::timestamptz + (SELECT clock_offset FROM orgs WHERE org_id = $1), $6,
    $5::timestamptz + (SELECT clock_offset FROM orgs WHERE org_id = $1)
)
ON CONFLICT (org_id, kind, id) DO NOTHING
RETURNING id, version, ordinal, doc, created_at, created_by, updated_at;

-- name: update_document
-- Replace a document by its next version.
UPDATE documents SET doc = $4, version = version + 1,
    updated_at = $5::timestamptz + (SELECT clock_offset FROM orgs WHERE org_id = $1)
WHERE org_id = $1 AND kind = $2 AND id = $3
RETURNING id, version, ordinal, doc, created_at, created_by, updated_at;

-- name: delete_document
-- Delete a document; its references are deleted with it.
DELETE FROM documents WHERE org_id = $1 AND kind = $2 AND id = $3 RETURNING version, ordinal;

-- name: refill
-- Evaluate all members for a new or changed document, starting with the first bucket.
INSERT INTO segment_fills (org_id, segment_id, version) VALUES ($1, $2, $3)
ON CONFLICT (org_id, segment_id) DO UPDATE SET
    version = excluded.version, bucket = 0, looked_at = 0, changed = 0, finished_at = NULL;

-- name: delete_fill
-- Forget how far a document was filled, so that a later document of the same id starts from the first bucket.
DELETE FROM segment_fills WHERE org_id = $1 AND segment_id = $2;

-- name: insert_version
-- Store a document as it is after a change, permanently.
INSERT INTO document_versions
    (org_id, kind, id, version, ordinal, program_version, change, doc, changed_at, changed_by)
VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9::timestamptz + (SELECT clock_offset FROM orgs WHERE org_id = $1), $10
);

-- name: delete_references
-- Delete a document's references, before its new ones are stored.
DELETE FROM document_references WHERE org_id = $1 AND kind = $2 AND id = $3;

-- name: insert_references
-- Store a document's references, one for each field.
INSERT INTO document_references (org_id, kind, id, field, to_kind, to_id, required)
SELECT $1, $2, $3, * FROM unnest($4::text[], $5::text[], $6::text[], $7::boolean[]);

-- name: ever_existed
-- Which of these documents exist, or were deleted.
SELECT DISTINCT kind, id FROM document_versions JOIN unnest($2::text[], $3::text[]) AS requested (kind, id) USING (kind, id)
WHERE org_id = $1;

-- name: one
-- One document.
SELECT id, version, ordinal, doc, created_at, created_by, updated_at
FROM documents WHERE org_id = $1 AND kind = $2 AND id = $3;

-- name: page
-- A page of a kind's documents in order of creation, filtered by fields ($4, a JSON object).
SELECT id, version, ordinal, doc, created_at, created_by, updated_at
FROM documents WHERE org_id = $1 AND kind = $2 AND ordinal > $3 AND doc @> $4
ORDER BY ordinal LIMIT $5;

-- name: versions
-- The versions of a document, newest first, even of a deleted one.
SELECT version, change, doc, changed_at, changed_by, program_version
FROM document_versions WHERE org_id = $1 AND kind = $2 AND id = $3 AND program_version < $4
ORDER BY program_version DESC LIMIT $5;

-- name: guard_metric
-- Whether members have a balance of a metric, which would lose its metric.
SELECT EXISTS (
    SELECT FROM balances JOIN members USING (bucket, member_id) WHERE org_id = $1 AND metric = $2
);

-- name: guard_code_pool
-- Whether codes of a pool have been issued to members.
SELECT EXISTS (SELECT FROM codes WHERE org_id = $1 AND pool_id = $2 AND state IN ('allocated', 'redeemed', 'revoked'));

-- name: delete_codes
-- Delete the codes of a deleted pool.
DELETE FROM codes WHERE org_id = $1 AND pool_id = $2;
