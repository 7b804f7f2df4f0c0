-- name: by_metric
-- Totals by metric.
SELECT metric, sum(credits) AS credits, sum(debits) AS debits, sum(credit_count)::bigint AS credit_count,
    sum(debit_count)::bigint AS debit_count
FROM daily_totals WHERE org_id = $1 AND day BETWEEN $2 AND $3 AND ($4::text IS NULL OR metric = $4)
GROUP BY metric ORDER BY metric;

-- name: top_campaigns
-- Campaigns by the number of their transactions.
SELECT cause_id AS campaign_id, sum(credit_count + debit_count)::bigint AS transactions FROM daily_totals
WHERE org_id = $1 AND cause_kind = 'campaign' AND day BETWEEN $2 AND $3 AND ($4::text IS NULL OR metric = $4)
GROUP BY campaign_id ORDER BY transactions DESC, campaign_id LIMIT $5;

-- name: unique_users
-- Count the members with a transaction in a period. Senders' clocks can be a little ahead, so rows are read from an hour
-- before $5, the start of the period by the wall clock.
SELECT count(DISTINCT member_id) FROM transactions
WHERE org_id = $1 AND created_at >= $5::timestamptz - interval '1 hour' AND occurred_at >= $2 AND occurred_at < $3
    AND amount <> 0 AND ($4::text IS NULL OR metric = $4);

-- name: series
-- Totals by period and metric.
SELECT date_trunc($4, day::timestamp)::date AS period, metric, sum(credits) AS credits, sum(debits) AS debits,
    sum(credit_count)::bigint AS credit_count, sum(debit_count)::bigint AS debit_count
FROM daily_totals WHERE org_id = $1 AND day BETWEEN $2 AND $3 AND ($5::text IS NULL OR metric = $5)
    AND ($6::text[] IS NULL OR cause_kind = ANY($6)) AND ($7::text IS NULL OR cause_id IN ($7, ''))
GROUP BY period, metric ORDER BY period, metric;

-- name: activity
-- The latest transactions, enrolments and changes of the configuration. Each source uses its own index, and is limited to
-- the size of the whole page. Transactions are those before $4, which is $2 by the wall clock.
    (SELECT 'transaction' AS type, created_at AS at, user_id, transaction_id::text AS id, metric AS what,
        amount, cause_kind AS source, cause_id, NULL::text AS by
    FROM transactions WHERE org_id = $1 AND created_at < $4 ORDER BY created_at DESC LIMIT $3)
    UNION ALL
    (SELECT 'enrolment', enrolled_at, user_id, NULL, NULL, NULL, NULL, NULL, NULL
    FROM members WHERE org_id = $1 AND enrolled_at < $2 AND erased_at IS NULL AND merged_into IS NULL
    ORDER BY enrolled_at DESC, member_id DESC LIMIT $3)
    UNION ALL
    (SELECT 'configuration', changed_at, NULL, id, kind, NULL, change, NULL, changed_by
    FROM document_versions WHERE org_id = $1 AND changed_at < $2 ORDER BY program_version DESC LIMIT $3)
;

-- name: counts
-- The counts of an organisation's documents and transactions.
SELECT count(*) FILTER (WHERE kind = 'campaign') AS campaigns,
    count(*) FILTER (WHERE kind = 'campaign' AND doc ->> 'status' = 'active') AS active,
    count(*) FILTER (WHERE kind = 'rule') AS rules, count(*) FILTER (WHERE kind = 'segment') AS segments,
    count(*) FILTER (WHERE kind = 'settings') AS settings,
    count(*) FILTER (WHERE kind = 'custom_field' AND doc ->> 'status' = 'active') AS custom_fields,
    (SELECT coalesce(sum(credit_count + debit_count), 0)::bigint FROM daily_totals WHERE org_id = $1) AS transactions
FROM documents WHERE org_id = $1;
