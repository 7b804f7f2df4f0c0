-- name: members_from
-- The members of an organisation in order of joining, starting with the given one.
SELECT bucket, member_id, enrolled_at FROM members
WHERE org_id = $1 AND (enrolled_at, member_id) >= ($2, $3) ORDER BY enrolled_at, member_id LIMIT $4;

-- name: joined
-- The time when a member joined, which decides their position in an export.
SELECT enrolled_at FROM members WHERE bucket = $1 AND member_id = $2 AND org_id = $3;

-- name: events_of
-- The events of these members, each after a position, in the order of the members and their logs.
SELECT number, e.* FROM unnest($1::smallint[], $2::uuid[], $3::bigint[]) WITH ORDINALITY AS wanted (bucket, member_id, after, number),
LATERAL (
    SELECT events.*, fingerprint FROM events LEFT JOIN event_ids USING (event_id)
    WHERE (events.bucket, events.member_id) = (wanted.bucket, wanted.member_id) AND events.position > wanted.after
    ORDER BY events.position LIMIT $4
) AS e ORDER BY number, e.position LIMIT $4;

-- name: transactions_of
-- The transactions of these members, each after a position, in the order of the members and their ledgers.
SELECT number, t.* FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $4::integer[]) WITH ORDINALITY
    AS wanted (bucket, member_id, after, ordinal_after, number),
LATERAL (
    SELECT * FROM transactions
    WHERE (transactions.bucket, transactions.member_id) = (wanted.bucket, wanted.member_id)
        AND (position, ordinal) > (wanted.after, wanted.ordinal_after)
    ORDER BY position, ordinal LIMIT $5
) AS t ORDER BY number, t.position, t.ordinal LIMIT $5;

-- name: log_after
-- The positions in the log of an organisation after the given one, and whether each is of a user who never joined.
SELECT bucket, member_id, position, decided_at, NOT EXISTS (
    SELECT FROM members AS m WHERE (m.bucket, m.member_id) = (e.bucket, e.member_id)
) AS is_strangers
FROM events AS e WHERE org_id = $1 AND (decided_at, bucket, position) > ($2, $3, $4)
ORDER BY decided_at, bucket, position LIMIT $5;

-- name: events_at
-- Events by their positions, in this order.
SELECT events.*, fingerprint
FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $4::timestamptz[]) WITH ORDINALITY
    AS wanted (bucket, member_id, position, decided_at, number)
JOIN events USING (bucket, member_id, position, decided_at) LEFT JOIN event_ids USING (event_id)
ORDER BY number;

-- name: audit_after
-- The versions of documents after the given one, oldest first.
SELECT program_version, ordinal, kind, id, version, change, doc, changed_at, changed_by FROM document_versions
WHERE org_id = $1 AND (program_version, ordinal, kind COLLATE "C", id COLLATE "C") > ($2, $3, $4, $5)
ORDER BY program_version, ordinal, kind COLLATE "C", id COLLATE "C" LIMIT $6;

-- name: version_at
-- The ordinal of a document at a version of the programme.
SELECT ordinal FROM document_versions WHERE org_id = $1 AND program_version = $2 AND kind = $3 AND id = $4;

-- name: places_of_events
-- Where these events of an organisation are in the log.
SELECT events.event_id, bucket, member_id, position, decided_at, user_id
FROM event_ids JOIN events USING (bucket, member_id, position, decided_at)
WHERE org_id = $1 AND event_ids.event_id = ANY($2::uuid[]);
