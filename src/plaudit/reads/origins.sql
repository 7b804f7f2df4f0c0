-- name: chain
-- A transaction, then the one it reverses, and so on, each with its event if the log still has it. Transactions from
-- before a merge can be in another bucket.
WITH RECURSIVE chain AS (
    SELECT bucket, member_id, position, org_id, user_id, amount, cause_kind, occurred_at, reverses, 0 AS steps_back
    FROM transactions WHERE bucket = $1 AND transaction_id = $2
    UNION ALL
    SELECT t.bucket, t.member_id, t.position, t.org_id, t.user_id, t.amount, t.cause_kind, t.occurred_at, t.reverses, steps_back + 1
    FROM chain JOIN transactions AS t ON t.transaction_id = chain.reverses
        AND t.bucket = ANY(ARRAY(SELECT generate_series(0, 255)::smallint))
)
SELECT chain.*, e.kind, e.program_version, e.outcome, e.payload -> 'data' ->> 'expiresAt' IS NOT NULL AS own_expiry
FROM chain LEFT JOIN events AS e USING (bucket, member_id, position) ORDER BY steps_back;

-- name: release
-- The timer event at $3 that released the pending amount, of one of these members.
SELECT program_version, outcome FROM unnest($1::smallint[], $2::uuid[]) AS requested (bucket, member_id)
    JOIN events USING (bucket, member_id) WHERE kind = 'timer' AND occurred_at = $3 ORDER BY position DESC LIMIT 1;

-- name: version_before
-- The version of the programme just before a time of the organisation's clock.
SELECT max(program_version) FROM document_versions WHERE org_id = $1 AND changed_at < $2;
