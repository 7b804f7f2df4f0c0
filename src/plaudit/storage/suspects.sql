-- name: note
-- What a process had in hand when it ended; how often each was by now. Whose an event is, the inbox knows.
INSERT INTO suspects AS s (suspect_id, kind, org_id, member_id, tries, reason, noted_at)
SELECT n.suspect_id, n.kind, coalesce(n.org_id, i.org_id), n.member_id, n.tries, $6, $7::timestamptz
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::smallint[]) AS n (suspect_id, kind, org_id, member_id, tries)
LEFT JOIN (SELECT DISTINCT ON (event_id) event_id, org_id FROM inbox WHERE event_id = ANY ($1)) AS i
    ON i.event_id = n.suspect_id
ON CONFLICT (suspect_id) DO UPDATE SET tries = s.tries + excluded.tries, reason = excluded.reason,
    noted_at = excluded.noted_at, org_id = coalesce(excluded.org_id, s.org_id)
RETURNING suspect_id, tries;

-- name: all
-- All suspects, the oldest first.
SELECT suspect_id, kind, org_id, member_id, tries, reason, noted_at FROM suspects ORDER BY noted_at LIMIT $1;

-- name: store_org
-- A suspect is not tried again: whose it is, is known by now.
UPDATE suspects SET org_id = $2 WHERE suspect_id = $1;

-- name: clear
-- Suspects that were innocent, or are to be tried again.
DELETE FROM suspects WHERE suspect_id = ANY($1::uuid[]);

-- name: forget
-- What was noted long ago.
DELETE FROM suspects WHERE noted_at < $1;
