-- name: note
-- Record suspects, and return how often each has been recorded. The inbox knows the organisation of an event.
INSERT INTO suspects AS s (suspect_id, kind, org_id, member_id, tries, reason, noted_at)
SELECT n.suspect_id, n.kind, coalesce(n.org_id, i.org_id), n.member_id, n.tries, $6, $7::timestamptz
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::smallint[]) AS n (suspect_id, kind, org_id, member_id, tries)
LEFT JOIN (SELECT DISTINCT ON (event_id) event_id, org_id FROM inbox WHERE event_id = ANY ($1)) AS i
    ON i.event_id = n.suspect_id
ON CONFLICT (suspect_id) DO UPDATE SET tries = s.tries + excluded.tries, reason = excluded.reason,
    noted_at = excluded.noted_at, org_id = coalesce(excluded.org_id, s.org_id)
RETURNING suspect_id, tries;

-- name: all
-- All suspects, oldest first.
SELECT suspect_id, kind, org_id, member_id, tries, reason, noted_at FROM suspects ORDER BY noted_at LIMIT $1;

-- name: store_org
-- Store the organisation of a suspect.
UPDATE suspects SET org_id = $2 WHERE suspect_id = $1;

-- name: clear
-- Delete suspects that were harmless, or are to be tried again.
DELETE FROM suspects WHERE suspect_id = ANY($1::uuid[]);

-- name: forget
-- Delete old suspects.
DELETE FROM suspects WHERE noted_at < $1;
