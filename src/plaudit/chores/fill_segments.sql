-- name: to_fill
-- Segments that are new, have changed, or are not filled yet.
SELECT documents.org_id, id, documents.version, id AS segment_id, ordinal FROM documents
LEFT JOIN segment_fills AS f ON f.org_id = documents.org_id AND f.segment_id = id AND f.version = documents.version
WHERE kind = 'segment' AND f.finished_at IS NULL
ORDER BY documents.ordinal LIMIT 100;

-- name: documents_to_fill
-- Documents of mechanics to fill, because they are new or place members by different rules.
SELECT f.org_id, segment_id, coalesce(d.version, f.version) AS version, split_part(segment_id, ':', 2) AS document_id,
    coalesce(ordinal, 0) AS ordinal
FROM segment_fills AS f LEFT JOIN documents AS d
    ON d.org_id = f.org_id AND d.kind = split_part(segment_id, ':', 1) AND id = split_part(segment_id, ':', 2)
WHERE finished_at IS NULL AND segment_id LIKE '%:%' ORDER BY ordinal LIMIT 100;

-- name: take_fill
-- Start or continue to fill a document, and return the next bucket. Start again if the document has changed.
INSERT INTO segment_fills (org_id, segment_id, version) VALUES ($1, $2, $3)
ON CONFLICT (org_id, segment_id) DO UPDATE SET
    version = excluded.version,
    bucket = CASE WHEN segment_fills.version = excluded.version THEN segment_fills.bucket ELSE 0 END,
    looked_at = CASE WHEN segment_fills.version = excluded.version THEN segment_fills.looked_at ELSE 0 END,
    changed = CASE WHEN segment_fills.version = excluded.version THEN segment_fills.changed ELSE 0 END,
    finished_at = NULL
RETURNING bucket;

-- name: one_at_a_time
-- Only one process at a time fills documents. The lock ends with the transaction.
SELECT pg_try_advisory_xact_lock(7152834800139552);

-- name: members_of_bucket
-- The members of an organisation in one bucket, except erased and merged ones, who are in no segment.
SELECT member_id, user_id FROM members
WHERE bucket = $1 AND org_id = $2 AND member_id > $3 AND erased_at IS NULL AND merged_into IS NULL ORDER BY member_id LIMIT $4;

-- name: members_to_place
-- The members of an organisation in one bucket, except erased and merged ones, with a balance of a metric or a state of a document.
SELECT member_id, user_id FROM members
WHERE bucket = $1 AND org_id = $2 AND member_id > $3 AND erased_at IS NULL AND merged_into IS NULL AND (
    EXISTS (SELECT FROM balances AS b WHERE b.bucket = members.bucket AND b.member_id = members.member_id AND metric = $4)
    OR EXISTS (
        SELECT FROM progress AS p WHERE p.bucket = members.bucket AND p.member_id = members.member_id
            AND p.kind = $5 AND p.key = $6
    )
) ORDER BY member_id LIMIT $7;

-- name: members_with_events
-- Which of these members have events of these kinds in the log.
SELECT DISTINCT member_id FROM events
WHERE bucket = $1 AND member_id = ANY($2::uuid[]) AND trigger = ANY($3::text[]) AND state = 'processed';

-- name: save_progress
-- Store how far a fill is.
UPDATE segment_fills SET bucket = $4, looked_at = looked_at + $5, changed = changed + $6, finished_at = $7
WHERE org_id = $1 AND segment_id = $2 AND version = $3;
