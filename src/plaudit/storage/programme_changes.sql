-- name: orphans
-- Required references to these kinds and ids.
SELECT r.kind, r.id, r.field, r.to_kind, r.to_id FROM document_references AS r
JOIN unnest($2::text[], $3::text[]) AS removed (to_kind, to_id) USING (to_kind, to_id)
WHERE r.org_id = $1 AND r.required ORDER BY r.kind, r.id, r.field LIMIT 10;
