-- name: keys
-- The documents that there are, and the parts of campaigns that are like documents of these kinds ($2).
SELECT kind, id FROM documents WHERE org_id = $1
UNION
SELECT part, id FROM documents, unnest($2::text[]) AS part
WHERE org_id = $1 AND kind = 'campaign' AND jsonb_typeof(doc -> part) = 'object';

-- name: saying_what_there_is
-- The documents that say what members and events can have: also by effects that write into profiles.
SELECT kind, id, doc FROM documents
WHERE org_id = $1 AND (kind IN ('profile_schema', 'custom_field', 'trigger') OR doc::text LIKE '%"set_attribute"%');

-- name: metrics_of
-- These metrics, as they are.
SELECT id, doc FROM documents WHERE org_id = $1 AND kind = 'metric' AND id = ANY($2::text[]);

-- name: pool_has_codes
-- Whether a pool has codes that nobody has.
SELECT EXISTS (SELECT FROM codes WHERE org_id = $1 AND pool_id = $2 AND state = 'available');

-- name: referring
-- Which others name this document, or a part of it: it is $4, and its parts are of the other kinds.
SELECT kind, id, field FROM document_references
WHERE org_id = $1 AND to_kind = ANY($2::text[]) AND to_id = $3 AND NOT (kind = $4 AND id = $3)
ORDER BY kind, id, field LIMIT 10;
