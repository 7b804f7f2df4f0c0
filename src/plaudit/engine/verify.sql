-- name: balance_is_sum
-- Every balance is the sum of the member's transactions, and of its credits.
SELECT format('member %s, metric %s: balance %s, transactions %s', member_id, metric, b.amount, t.amount)
FROM balances AS b FULL JOIN (
    SELECT bucket, member_id, metric, sum(amount) AS amount, sum(greatest(amount, 0)) AS earned
    FROM transactions GROUP BY bucket, member_id, metric
) AS t USING (bucket, member_id, metric)
-- A book may be kept of nothing yet: a hold that was released, an extension.
WHERE coalesce(b.amount, 0) <> coalesce(t.amount, 0) OR coalesce(b.earned, 0) <> coalesce(t.earned, 0);

-- name: balance_follows
-- Every transaction's balance is the one before it and its amount.
SELECT format('transaction %s: %s after %s and %s', transaction_id, balance_after, before, amount) FROM (
    SELECT transaction_id, amount, balance_after, coalesce(lag(balance_after)
        OVER (PARTITION BY bucket, member_id, metric ORDER BY position, ordinal), 0) AS before
    FROM transactions
) AS each WHERE balance_after <> before + amount;

-- name: balance_in_bounds
-- No balance is below its metric's minimum or above its maximum.
SELECT format('member %s, metric %s: %s', b.member_id, b.metric, b.amount)
FROM balances AS b JOIN members USING (bucket, member_id)
JOIN documents AS d ON d.org_id = members.org_id AND d.kind = 'metric' AND d.id = b.metric
WHERE (b.amount < (doc ->> 'minimum')::numeric * 10 ^ (doc ->> 'decimals')::numeric
        AND doc ->> 'onReversal' IS DISTINCT FROM 'debt')
    OR b.amount > (doc ->> 'maximum')::numeric * 10 ^ (doc ->> 'decimals')::numeric;

-- name: balance_is_lots
-- Where lots are kept, a balance is their sum, and each is more than nothing (number 0 is debt, and less).
SELECT format('member %s, metric %s: balance %s, lots %s', member_id, metric, amount, book -> 1) FROM balances
WHERE json_array_length(book -> 1) > 0 AND (
    amount <> (SELECT sum((lot ->> 1)::bigint) FROM json_array_elements(book -> 1) AS lot)
    OR EXISTS (
        SELECT FROM json_array_elements(book -> 1) AS lot
        WHERE CASE WHEN (lot ->> 0)::int = 0 THEN (lot ->> 1)::bigint >= 0 ELSE (lot ->> 1)::bigint <= 0 END
    )
);

-- name: postings_are_transaction
-- The postings of a transaction on lots come to its amount.
SELECT format('transaction %s', transaction_id) FROM transactions
WHERE json_array_length(details -> 'parts') > 0
    AND amount <> (SELECT sum((part ->> 1)::bigint) FROM json_array_elements(details -> 'parts') AS part);

-- name: reversed_once
-- No more of a transaction is taken back than there was.
SELECT format('transaction %s', was.transaction_id) FROM transactions AS was
JOIN (SELECT reverses, sum(amount) AS amount FROM transactions WHERE reverses IS NOT NULL GROUP BY reverses) AS back
    ON back.reverses = was.transaction_id
WHERE abs(back.amount) > abs(was.amount) OR sign(back.amount) = sign(was.amount);

-- name: transaction_has_event
-- Every transaction points to an event of the log, at its position.
SELECT format('transaction %s', transaction_id) FROM transactions AS t
LEFT JOIN event_ids AS e ON e.event_id = t.event_id AND e.bucket = t.bucket AND e.position = t.position
WHERE e.event_id IS NULL;

-- name: effect_once
-- (event, campaign, step, index), from which the id is derived, is unique.
SELECT format('transaction %s: %s times', transaction_id, count(*)) FROM transactions
GROUP BY transaction_id HAVING count(*) > 1;

-- name: event_has_id
-- The log and its ids say the same.
SELECT format('event %s', event_id) FROM events FULL JOIN event_ids USING (event_id, bucket, member_id, position, decided_at)
WHERE events.org_id IS NULL OR event_ids.tableoid IS NULL;

-- name: positions_whole
-- The positions of each bucket go from 1 to its length, without gaps.
SELECT format('bucket %s: %s events, position %s', p.bucket, count(e.*), p.position)
FROM positions AS p LEFT JOIN event_ids AS e USING (bucket)
GROUP BY p.bucket, p.position HAVING count(DISTINCT e.position) <> p.position OR count(e.*) <> p.position;

-- name: code_in_one_hand
-- Every code that is in somebody's hands is one coupon, and every coupon of a pool has its code.
SELECT format('code %s of %s', coalesce(codes.code, coupons.code), coalesce(codes.pool_id, coupons.pool_id))
FROM (SELECT * FROM codes WHERE state IN ('allocated', 'redeemed')) AS codes
FULL JOIN (SELECT * FROM coupons WHERE pool_id IS NOT NULL) AS coupons
    ON coupons.coupon_id = codes.coupon_id AND coupons.code = codes.code AND coupons.pool_id = codes.pool_id
WHERE codes.code IS NULL OR coupons.code IS NULL;

-- name: nothing_oversold
-- No more of a product has been taken than there is.
SELECT format('product %s: %s of %s', key, quantity, doc ->> 'allocatedStock') FROM claimed
JOIN documents ON documents.org_id = claimed.org_id AND documents.kind = 'product' AND id = key
WHERE claimed.kind = 'stock' AND quantity > (doc ->> 'allocatedStock')::numeric;

-- name: segments_listed
-- Who is in a segment is listed there, and nobody else.
WITH inside AS (
    SELECT bucket, member_id, key AS segment_id FROM progress WHERE kind = 'segment' AND state ->> 0 = 'true'
), listed AS (SELECT bucket, member_id, segment_id FROM segment_members)
SELECT format('member %s, segment %s', member_id, segment_id)
FROM ((TABLE inside EXCEPT TABLE listed) UNION ALL (TABLE listed EXCEPT TABLE inside)) AS wrong;

-- name: prizes_once
-- A place in a competition has won its prize once.
SELECT format('event %s', event_key) FROM events WHERE kind = 'prize' GROUP BY event_key, org_id HAVING count(*) > 1;

-- name: inbox_and_log
-- No event both waits and is decided, or has failed and is decided.
SELECT format('event %s', event_id) FROM event_ids JOIN (
    SELECT event_id FROM inbox UNION ALL SELECT event_id FROM failed_events
) AS other USING (event_id);

-- name: totals_are_sums
-- The daily totals come to what the ledger says, by metric and campaign.
SELECT format('organisation %s, metric %s, campaign %s', org_id, metric, campaign_id)
FROM (
    SELECT org_id, metric, campaign_id, sum(credits) AS credits, sum(debits) AS debits, sum(credit_count) AS up,
        sum(debit_count) AS down FROM daily_totals GROUP BY org_id, metric, campaign_id
) AS kept FULL JOIN (
    SELECT org_id, metric, campaign_id, sum(greatest(amount, 0)) AS credits, -sum(least(amount, 0)) AS debits,
        count(*) FILTER (WHERE amount > 0) AS up, count(*) FILTER (WHERE amount < 0) AS down
    FROM transactions WHERE amount <> 0 GROUP BY org_id, metric, campaign_id
) AS booked USING (org_id, metric, campaign_id)
WHERE (kept.credits, kept.debits, kept.up, kept.down) IS DISTINCT FROM (booked.credits, booked.debits, booked.up, booked.down);

-- name: counted
-- How much there is to check.
SELECT (SELECT count(*) FROM balances) AS balances, (SELECT count(*) FROM transactions) AS transactions,
    (SELECT count(*) FROM events) AS events, (SELECT count(*) FROM codes) AS codes,
    (SELECT count(*) FROM claimed) AS claimed, (SELECT count(*) FROM segment_members) AS segment_members,
    (SELECT count(*) FROM events WHERE kind = 'prize') AS prizes, (SELECT count(*) FROM positions) AS positions,
    (SELECT count(*) FROM daily_totals) AS daily_totals;
