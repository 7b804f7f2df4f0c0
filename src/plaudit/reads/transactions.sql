-- name: page
-- The transactions of an organisation, newest first. At most $13 are read and then filtered by metric, cause, sign (1 for
-- credits, -1 for debits) and period.
SELECT * FROM (
    SELECT * FROM transactions WHERE org_id = $1 AND (created_at, bucket, position, ordinal) < ($2, $3, $4, $5)
    ORDER BY created_at DESC, bucket DESC, position DESC, ordinal DESC LIMIT $13
) AS scanned
WHERE ($6::text IS NULL OR metric = $6) AND ($7::text[] IS NULL OR cause_kind = ANY($7))
    AND ($8::text IS NULL OR cause_id IN ($8, ''))
    AND ($9::integer IS NULL OR sign(amount) = $9)
    AND ($10::timestamptz IS NULL OR occurred_at >= $10) AND ($11::timestamptz IS NULL OR occurred_at < $11)
ORDER BY created_at DESC, bucket DESC, position DESC, ordinal DESC LIMIT $12;

-- name: end_of_page
-- The position of the last transaction that such a page reads, or none if fewer exist.
SELECT created_at, bucket, position, ordinal FROM transactions
WHERE org_id = $1 AND (created_at, bucket, position, ordinal) < ($2, $3, $4, $5)
ORDER BY created_at DESC, bucket DESC, position DESC, ordinal DESC OFFSET $6 - 1 LIMIT 1;

-- name: page_of_member
-- The transactions of one member, newest first, filtered by metric, cause, sign (1 for credits, -1 for debits) and period.
SELECT * FROM transactions
WHERE bucket = $1 AND member_id = $2 AND (position, ordinal) < ($3, $4)
    AND ($5::text IS NULL OR metric = $5) AND ($6::text[] IS NULL OR cause_kind = ANY($6))
    AND ($7::text IS NULL OR cause_id IN ($7, ''))
    AND ($8::integer IS NULL OR sign(amount) = $8)
    AND ($9::timestamptz IS NULL OR occurred_at >= $9) AND ($10::timestamptz IS NULL OR occurred_at < $10)
ORDER BY position DESC, ordinal DESC LIMIT $11;

-- name: one
-- One transaction, in any bucket.
SELECT * FROM transactions
WHERE bucket = ANY(ARRAY(SELECT generate_series(0, 255)::smallint)) AND transaction_id = $2 AND org_id = $1;

-- name: event_of
-- The event of a transaction, if it is of one of these kinds.
SELECT kind, payload FROM event_ids JOIN events USING (bucket, member_id, position, decided_at, event_id)
WHERE bucket = $1 AND member_id = $2 AND position = $3 AND event_id = $4 AND kind = ANY($5::text[]);

-- name: of_event
-- The transactions of an event by causes of a kind: those of a command, or of a merge for one of its two members.
SELECT transactions.* FROM event_ids JOIN transactions USING (bucket, member_id, position)
WHERE event_ids.event_id = $2 AND transactions.org_id = $1 AND cause_kind = $3 ORDER BY ordinal;

-- name: of_metric
-- The transactions of a member's metric, in order. Their postings show which credits paid for which debits.
SELECT * FROM transactions WHERE bucket = $1 AND member_id = $2 AND metric = $3 ORDER BY position, ordinal;

-- name: reversals_after_merge
-- The reversals of a transaction by these members, into whom its own member was merged.
SELECT t.* FROM unnest($1::smallint[], $2::uuid[]) AS requested (bucket, member_id)
    JOIN transactions AS t USING (bucket, member_id) WHERE reverses = $3 ORDER BY created_at, position, ordinal;

-- name: newest
-- The newest transactions of an organisation.
SELECT transaction_id, user_id, metric, amount, created_at FROM transactions
WHERE org_id = $1 AND amount <> 0 AND ($2::text IS NULL OR metric = $2)
ORDER BY created_at DESC, bucket DESC, position DESC, ordinal DESC LIMIT $3;
