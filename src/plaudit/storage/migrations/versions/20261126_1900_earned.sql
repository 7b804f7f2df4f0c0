-- What members have earned, without what was given back or sent by others; and erased members on no board.

COMMENT ON COLUMN balances.earned IS 'Earned ever: credits, without what others sent or what was reversed of them.';

-- Reversals of what was not earned say so, because the log is decided again by what its orders say.
WITH RECURSIVE back AS (
    SELECT bucket, position, reverses AS origin FROM transactions WHERE reverses IS NOT NULL
    UNION ALL SELECT back.bucket, back.position, t.reverses FROM back JOIN transactions AS t ON t.transaction_id = back.origin
    WHERE t.reverses IS NOT NULL
), of_order AS (
    SELECT back.bucket, back.position, t.amount > 0 AND e.bucket IS NULL AS earned
    FROM back JOIN transactions AS t ON t.transaction_id = back.origin AND t.reverses IS NULL
    LEFT JOIN events AS e ON e.bucket = t.bucket AND e.position = t.position AND e.kind = 'receipt' AND t.campaign_id = 'manual'
)
UPDATE events SET payload = jsonb_set(payload::jsonb, '{data,earned}', to_jsonb(earned))::json
FROM of_order WHERE events.bucket = of_order.bucket AND events.position = of_order.position AND kind = 'reversal'
    AND payload -> 'data' -> 'amount' IS NOT NULL AND earned <> ((payload -> 'data' ->> 'amount')::bigint > 0);

WITH RECURSIVE back AS (
    SELECT amount, reverses AS origin FROM transactions WHERE reverses IS NOT NULL
    UNION ALL SELECT back.amount, t.reverses FROM back JOIN transactions AS t ON t.transaction_id = back.origin
    WHERE t.reverses IS NOT NULL
), each AS (
    SELECT bucket, member_id, metric, amount, CASE WHEN reverses IS NULL THEN greatest(amount, 0) ELSE 0 END AS earned
    FROM transactions
    UNION ALL SELECT t.bucket, t.member_id, t.metric, 0, -t.amount FROM transactions AS t JOIN events AS e USING (bucket, position)
    WHERE t.campaign_id = 'manual' AND t.amount > 0 AND t.reverses IS NULL AND e.kind = 'receipt'
    UNION ALL SELECT t.bucket, t.member_id, t.metric, 0, back.amount FROM back JOIN transactions AS t ON t.transaction_id = back.origin
    LEFT JOIN events AS e ON e.bucket = t.bucket AND e.position = t.position AND e.kind = 'receipt' AND t.campaign_id = 'manual'
    WHERE t.reverses IS NULL AND t.amount > 0 AND e.bucket IS NULL
)
UPDATE balances AS b SET earned = t.earned FROM (
    SELECT bucket, member_id, metric, sum(earned) AS earned FROM each GROUP BY bucket, member_id, metric
) AS t WHERE (b.bucket, b.member_id, b.metric) = (t.bucket, t.member_id, t.metric) AND b.earned <> t.earned;

DELETE FROM standings AS s USING members AS m WHERE (s.bucket, s.member_id) = (m.bucket, m.member_id) AND erased_at IS NOT NULL;
DELETE FROM entries AS e USING members AS m WHERE (e.bucket, e.member_id) = (m.bucket, m.member_id) AND erased_at IS NOT NULL;
DELETE FROM segment_members AS s USING members AS m
WHERE (s.bucket, s.member_id) = (m.bucket, m.member_id) AND erased_at IS NOT NULL;
DELETE FROM progress AS p USING members AS m
WHERE (p.bucket, p.member_id) = (m.bucket, m.member_id) AND erased_at IS NOT NULL AND kind = 'segment';
