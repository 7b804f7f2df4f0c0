-- name: page
-- Changes of documents, newest first, each with the previous version.
SELECT v.kind, v.id, v.change, v.version, v.program_version, v.ordinal, v.changed_at, v.changed_by, v.doc AS after, (
    SELECT doc FROM document_versions AS w
    WHERE w.org_id = v.org_id AND w.kind = v.kind AND w.id = v.id AND w.program_version < v.program_version
    ORDER BY w.program_version DESC LIMIT 1
) AS before
FROM document_versions AS v
WHERE org_id = $1 AND (program_version, ordinal) < ($2, $3)
    AND ($4::text IS NULL OR kind = $4) AND ($5::text IS NULL OR id = $5) AND ($6::text IS NULL OR changed_by = $6)
ORDER BY program_version DESC, ordinal DESC LIMIT $7;
