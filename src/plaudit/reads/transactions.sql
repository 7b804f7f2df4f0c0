-- name: page
-- The transactions of an organisation, newest first; of one metric or campaign, if asked.
SELECT * FROM transactions
WHERE org_id = $1 AND (created_at, bucket, position, ordinal) < ($2, $3, $4, $5)
    AND ($6::text IS NULL OR metric = $6) AND ($7::text IS NULL OR campaign_id = $7)
ORDER BY created_at DESC, bucket DESC, position DESC, ordinal DESC LIMIT $8;

-- name: page_of_member
-- The transactions of one member, newest first; of one metric or campaign, of credits (1) or debits (-1), if asked.
SELECT * FROM transactions
WHERE bucket = $1 AND member_id = $2 AND (position, ordinal) < ($3, $4)
    AND ($5::text IS NULL OR metric = $5) AND ($6::text IS NULL OR campaign_id = $6)
    AND ($7::integer IS NULL OR sign(amount) = $7)
ORDER BY position DESC, ordinal DESC LIMIT $8;

-- name: one
-- One transaction, in whichever bucket it is.
SELECT * FROM transactions
WHERE bucket = ANY(ARRAY(SELECT generate_series(0, 255)::smallint)) AND transaction_id = $2 AND org_id = $1;

-- name: of_event
-- The first transaction of an event: what a command that came again had made.
SELECT transactions.* FROM event_ids JOIN transactions USING (bucket, member_id, position)
WHERE event_ids.event_id = $2 AND transactions.org_id = $1 AND campaign_id = 'manual' ORDER BY ordinal LIMIT 1;

-- name: on_lots
-- The transactions of a member's metric, in their order: who paid for what is read off their postings on lots.
SELECT * FROM transactions WHERE bucket = $1 AND member_id = $2 AND metric = $3 ORDER BY position, ordinal;

-- name: newest
-- The newest transactions of an organisation.
SELECT transaction_id, user_id, metric, amount, created_at FROM transactions
WHERE org_id = $1 AND amount <> 0 AND ($2::text IS NULL OR metric = $2)
ORDER BY created_at DESC, bucket DESC, position DESC, ordinal DESC LIMIT $3;
