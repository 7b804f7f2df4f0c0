-- name: page
-- The transactions of an organisation, newest first: of so many ($13) those of one metric or cause, of credits (1) or
-- debits (-1), from when on and until when, if asked.
SELECT * FROM (
    SELECT * FROM transactions WHERE org_id = $1 AND (created_at, bucket, position, ordinal) < ($2, $3, $4, $5)
    ORDER BY created_at DESC, bucket DESC, position DESC, ordinal DESC LIMIT $13
) AS looked_at
WHERE ($6::text IS NULL OR metric = $6) AND ($7::text[] IS NULL OR cause_kind = ANY($7))
    AND ($8::text IS NULL OR cause_id IN ($8, ''))
    AND ($9::integer IS NULL OR sign(amount) = $9)
    AND ($10::timestamptz IS NULL OR occurred_at >= $10) AND ($11::timestamptz IS NULL OR occurred_at < $11)
ORDER BY created_at DESC, bucket DESC, position DESC, ordinal DESC LIMIT $12;

-- name: end_of_page
-- The last of so many transactions of an organisation, from the same place on; none if there are fewer.
SELECT created_at, bucket, position, ordinal FROM transactions
WHERE org_id = $1 AND (created_at, bucket, position, ordinal) < ($2, $3, $4, $5)
ORDER BY created_at DESC, bucket DESC, position DESC, ordinal DESC OFFSET $6 - 1 LIMIT 1;

-- name: page_of_member
-- The transactions of one member, newest first; of one metric or cause, of credits (1) or debits (-1), if asked.
SELECT * FROM transactions
WHERE bucket = $1 AND member_id = $2 AND (position, ordinal) < ($3, $4)
    AND ($5::text IS NULL OR metric = $5) AND ($6::text[] IS NULL OR cause_kind = ANY($6))
    AND ($7::text IS NULL OR cause_id IN ($7, ''))
    AND ($8::integer IS NULL OR sign(amount) = $8)
    AND ($9::timestamptz IS NULL OR occurred_at >= $9) AND ($10::timestamptz IS NULL OR occurred_at < $10)
ORDER BY position DESC, ordinal DESC LIMIT $11;

-- name: one
-- One transaction, in whichever bucket it is.
SELECT * FROM transactions
WHERE bucket = ANY(ARRAY(SELECT generate_series(0, 255)::smallint)) AND transaction_id = $2 AND org_id = $1;

-- name: event_of
-- The event that a transaction was made by, of one of these kinds.
SELECT kind, payload FROM event_ids JOIN events USING (bucket, member_id, position, decided_at, event_id)
WHERE bucket = $1 AND member_id = $2 AND position = $3 AND event_id = $4 AND kind = ANY($5::text[]);

-- name: of_event
-- The transactions of an event by causes of a kind: what a command, or a merge at one of its two members, has made.
SELECT transactions.* FROM event_ids JOIN transactions USING (bucket, member_id, position)
WHERE event_ids.event_id = $2 AND transactions.org_id = $1 AND cause_kind = $3 ORDER BY ordinal;

-- name: of_metric
-- The transactions of a member's metric, in their order: who paid for what is read off their postings on lots.
SELECT * FROM transactions WHERE bucket = $1 AND member_id = $2 AND metric = $3 ORDER BY position, ordinal;

-- name: reversals_after_merge
-- What reversed a transaction at these members, into whom its own was merged.
SELECT t.* FROM unnest($1::smallint[], $2::uuid[]) AS asked (bucket, member_id)
    JOIN transactions AS t USING (bucket, member_id) WHERE reverses = $3 ORDER BY created_at, position, ordinal;

-- name: newest
-- The newest transactions of an organisation.
SELECT transaction_id, user_id, metric, amount, created_at FROM transactions
WHERE org_id = $1 AND amount <> 0 AND ($2::text IS NULL OR metric = $2)
ORDER BY created_at DESC, bucket DESC, position DESC, ordinal DESC LIMIT $3;
