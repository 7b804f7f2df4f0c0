-- name: keys
-- All documents, and the parts of campaigns that count as documents of these kinds ($2).
SELECT kind, id FROM documents WHERE org_id = $1
UNION
SELECT part, id FROM documents, unnest($2::text[]) AS part
WHERE org_id = $1 AND kind = 'campaign' AND jsonb_typeof(doc -> part) = 'object';

-- name: documents_that_define_fields
-- The documents that define the fields of members and events, including effects that set profile fields.
SELECT kind, id, doc FROM documents
WHERE org_id = $1 AND (kind IN ('profile_schema', 'custom_field', 'trigger') OR doc::text LIKE '%"set_attribute"%');

-- name: metrics_of
-- The current documents of these metrics.
SELECT id, doc FROM documents WHERE org_id = $1 AND kind = 'metric' AND id = ANY($2::text[]);

-- name: pool_has_codes
-- Whether a pool has unissued codes.
SELECT EXISTS (SELECT FROM codes WHERE org_id = $1 AND pool_id = $2 AND state = 'available');

-- name: referring
-- The other documents that refer to this one or a part of it. Its kind is $4; $2 has the kinds to look for.
SELECT kind, id, field FROM document_references
WHERE org_id = $1 AND to_kind = ANY($2::text[]) AND to_id = $3 AND NOT (kind = $4 AND id = $3)
ORDER BY kind, id, field LIMIT 10;
