-- The daily totals of what was booked before there were any.

-- One statement sees ledger and totals as they are at one instant, so what is added is just what is missing, whoever
-- books meanwhile: each commit adds to both. It locks nothing that a commit waits for (stripes of commits are 0 to 63), and
-- takes one pass over the ledger, whose sums by day and campaign fit into memory or spill. Where a metric's and campaign's
-- totals come to the ledger's, they stay as they are, also those of days that were counted in another time zone.
WITH zones AS (
    SELECT org_id, z.name AS zone FROM documents JOIN pg_timezone_names AS z ON z.name = doc ->> 'timeZone'
    WHERE kind = 'settings'
), booked AS (
    SELECT org_id, (occurred_at AT TIME ZONE coalesce(zone, 'UTC'))::date AS day, metric, campaign_id,
        sum(greatest(amount, 0)) AS credits, -sum(least(amount, 0)) AS debits,
        count(*) FILTER (WHERE amount > 0) AS credit_count, count(*) FILTER (WHERE amount < 0) AS debit_count
    FROM transactions LEFT JOIN zones USING (org_id) WHERE amount <> 0 GROUP BY 1, 2, 3, 4
), missing AS (
    SELECT org_id, day, metric, campaign_id, sum(credits) AS credits, sum(debits) AS debits,
        sum(credit_count)::bigint AS credit_count, sum(debit_count)::bigint AS debit_count
    FROM (
        SELECT org_id, day, metric, campaign_id, credits, debits, credit_count, debit_count FROM booked
        UNION ALL
        SELECT org_id, day, metric, campaign_id, -credits, -debits, -credit_count, -debit_count FROM daily_totals
    ) AS each GROUP BY 1, 2, 3, 4
), wrong AS (
    SELECT org_id, metric, campaign_id FROM missing GROUP BY 1, 2, 3
    HAVING sum(credits) <> 0 OR sum(debits) <> 0 OR sum(credit_count) <> 0 OR sum(debit_count) <> 0
)
INSERT INTO daily_totals AS t (org_id, day, metric, campaign_id, stripe, credits, debits, credit_count, debit_count)
SELECT org_id, day, metric, campaign_id, 64, credits, debits, credit_count, debit_count
FROM missing JOIN wrong USING (org_id, metric, campaign_id)
WHERE credits <> 0 OR debits <> 0 OR credit_count <> 0 OR debit_count <> 0
ON CONFLICT (org_id, day, metric, campaign_id, stripe) DO UPDATE SET credits = t.credits + excluded.credits,
    debits = t.debits + excluded.debits, credit_count = t.credit_count + excluded.credit_count,
    debit_count = t.debit_count + excluded.debit_count;
