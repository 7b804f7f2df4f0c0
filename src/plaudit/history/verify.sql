-- name: balance_is_sum
-- Every balance is the sum of the member's transactions. The amount earned is the sum of credits, except those received from
-- other members, less their reversals, plus the amounts that merges have moved.
WITH RECURSIVE back AS (
    SELECT bucket, member_id, amount, reverses AS origin FROM transactions WHERE reverses IS NOT NULL
    UNION ALL SELECT back.bucket, back.member_id, back.amount, t.reverses FROM back JOIN transactions AS t ON t.transaction_id = back.origin
    WHERE t.reverses IS NOT NULL
), each AS (
    SELECT bucket, member_id, metric, amount, CASE
        WHEN cause_kind = 'merge' AND reverses IS NULL THEN coalesce((details ->> 'lifetime')::bigint, 0)
        WHEN reverses IS NULL THEN greatest(amount, 0) ELSE 0
    END AS earned FROM transactions
    UNION ALL SELECT t.bucket, t.member_id, t.metric, 0, -t.amount FROM transactions AS t JOIN events AS e USING (bucket, position)
    WHERE t.cause_kind = 'manual' AND t.amount > 0 AND t.reverses IS NULL AND e.kind = 'receipt'
    UNION ALL SELECT back.bucket, back.member_id, t.metric, 0, back.amount FROM back JOIN transactions AS t ON t.transaction_id = back.origin
    LEFT JOIN events AS e ON e.bucket = t.bucket AND e.position = t.position AND e.kind = 'receipt' AND t.cause_kind = 'manual'
    WHERE t.reverses IS NULL AND t.amount > 0 AND e.bucket IS NULL AND t.cause_kind <> 'merge'
)
SELECT format('member %s, metric %s: balance %s, transactions %s; earned %s, transactions %s', member_id, metric, b.amount,
    t.amount, b.earned, t.earned)
FROM balances AS b FULL JOIN (
    SELECT bucket, member_id, metric, sum(amount) AS amount, sum(earned) AS earned
    FROM each GROUP BY bucket, member_id, metric
) AS t USING (bucket, member_id, metric)
-- A balance can have a book and no transactions yet: after a hold that was released, or an extension.
WHERE coalesce(b.amount, 0) <> coalesce(t.amount, 0) OR coalesce(b.earned, 0) <> coalesce(t.earned, 0);

-- name: balance_follows
-- Every transaction's balance is the balance before it plus its amount.
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
-- If a balance has lots, it is their sum. Every lot is positive, except number 0, which is debt and negative.
SELECT format('member %s, metric %s: balance %s, lots %s', member_id, metric, amount, book -> 1) FROM balances
WHERE json_array_length(book -> 1) > 0 AND (
    amount <> (SELECT sum((lot ->> 1)::bigint) FROM json_array_elements(book -> 1) AS lot)
    OR EXISTS (
        SELECT FROM json_array_elements(book -> 1) AS lot
        WHERE CASE WHEN (lot ->> 0)::int = 0 THEN (lot ->> 1)::bigint >= 0 ELSE (lot ->> 1)::bigint <= 0 END
    )
);

-- name: postings_are_transaction
-- The amount of a transaction is the sum of its postings on lots.
SELECT format('transaction %s', transaction_id) FROM transactions
WHERE json_array_length(details -> 'parts') > 0
    AND amount <> (SELECT sum((part ->> 1)::bigint) FROM json_array_elements(details -> 'parts') AS part);

-- name: reversed_once
-- No transaction is reversed by more than its amount.
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
-- Transaction ids, which are derived from event, campaign, step and index, are unique.
SELECT format('transaction %s: %s times', transaction_id, count(*)) FROM transactions
GROUP BY transaction_id HAVING count(*) > 1;

-- name: event_has_id
-- The log and the table of its ids agree.
SELECT format('event %s', event_id) FROM events FULL JOIN event_ids USING (event_id, bucket, member_id, position, decided_at)
WHERE events.org_id IS NULL OR event_ids.tableoid IS NULL;

-- name: positions_whole
-- The positions of each bucket go from 1 to its length, without gaps.
SELECT format('bucket %s: %s events, position %s', p.bucket, count(e.*), p.position)
FROM positions AS p LEFT JOIN event_ids AS e USING (bucket)
GROUP BY p.bucket, p.position HAVING count(DISTINCT e.position) <> p.position OR count(e.*) <> p.position;

-- name: code_in_one_hand
-- Every code that was ever issued belongs to one coupon, and every coupon of a pool has its code. If one is revoked, both are.
SELECT format('code %s of %s', coalesce(codes.code, coupons.code), coalesce(codes.pool_id, coupons.pool_id))
FROM (SELECT * FROM codes WHERE state IN ('allocated', 'redeemed', 'revoked')) AS codes
FULL JOIN (SELECT * FROM coupons WHERE pool_id IS NOT NULL) AS coupons
    ON coupons.coupon_id = codes.coupon_id AND coupons.code = codes.code AND coupons.pool_id = codes.pool_id
        AND (state = 'revoked') = (revoked_at IS NOT NULL)
WHERE codes.code IS NULL OR coupons.code IS NULL;

-- name: nothing_oversold
-- No more of a product has been claimed than its stock.
SELECT format('product %s: %s of %s', key, quantity, doc ->> 'allocatedStock') FROM claimed
JOIN documents ON documents.org_id = claimed.org_id AND documents.kind = 'product' AND id = key
WHERE claimed.kind = 'stock' AND quantity > (doc ->> 'allocatedStock')::numeric;

-- name: segments_listed
-- The list of a segment contains exactly the members whose state is in it.
WITH inside AS (
    SELECT bucket, member_id, key AS segment_id FROM progress WHERE kind = 'segment' AND state ->> 0 = 'true'
), listed AS (SELECT bucket, member_id, segment_id FROM segment_members)
SELECT format('member %s, segment %s', member_id, segment_id)
FROM ((TABLE inside EXCEPT TABLE listed) UNION ALL (TABLE listed EXCEPT TABLE inside)) AS wrong;

-- name: prizes_once
-- Every prize was paid only once.
SELECT format('event %s', event_key) FROM events WHERE kind = 'prize' GROUP BY event_key, org_id HAVING count(*) > 1;

-- name: inbox_and_log
-- No decided event is also in the inbox or among the failed events.
SELECT format('event %s', event_id) FROM event_ids JOIN (
    SELECT event_id FROM inbox UNION ALL SELECT event_id FROM failed_events
) AS other USING (event_id);

-- name: totals_are_sums
-- The daily totals equal the ledger, by metric and cause.
SELECT format('organisation %s, metric %s, cause %s %s', org_id, metric, cause_kind, cause_id)
FROM (
    SELECT org_id, metric, cause_kind, cause_id, sum(credits) AS credits, sum(debits) AS debits, sum(credit_count) AS up,
        sum(debit_count) AS down FROM daily_totals GROUP BY org_id, metric, cause_kind, cause_id
) AS kept FULL JOIN (
    SELECT org_id, metric, cause_kind, cause_id, sum(greatest(amount, 0)) AS credits, -sum(least(amount, 0)) AS debits,
        count(*) FILTER (WHERE amount > 0) AS up, count(*) FILTER (WHERE amount < 0) AS down
    FROM transactions WHERE amount <> 0 GROUP BY org_id, metric, cause_kind, cause_id
) AS booked USING (org_id, metric, cause_kind, cause_id)
WHERE (kept.credits, kept.debits, kept.up, kept.down) IS DISTINCT FROM (booked.credits, booked.debits, booked.up, booked.down);

-- name: lots_are_postings
-- Every lot is the sum of the postings on it, if all transactions of the balance have postings.
WITH posted AS (
    SELECT bucket, member_id, metric, (part ->> 0)::int AS lot, sum((part ->> 1)::bigint) AS amount
    FROM transactions, json_array_elements(details -> 'parts') AS part GROUP BY bucket, member_id, metric, lot
), kept AS (
    SELECT bucket, member_id, metric, (lot ->> 0)::int AS lot, sum((lot ->> 1)::bigint) AS amount
    FROM balances, json_array_elements(book -> 1) AS lot GROUP BY bucket, member_id, metric, lot ->> 0
)
SELECT format('member %s, metric %s, lot %s: %s, postings %s', member_id, metric, lot, coalesce(kept.amount, 0),
    coalesce(posted.amount, 0))
FROM posted FULL JOIN kept USING (bucket, member_id, metric, lot)
WHERE coalesce(posted.amount, 0) <> coalesce(kept.amount, 0) AND NOT EXISTS (
    SELECT FROM transactions AS t WHERE t.bucket = coalesce(posted.bucket, kept.bucket)
        AND t.member_id = coalesce(posted.member_id, kept.member_id) AND t.metric = coalesce(posted.metric, kept.metric)
        AND amount <> 0 AND coalesce(json_array_length(details -> 'parts'), 0) = 0
) ORDER BY bucket, member_id, metric, lot;

-- name: reversals_in_time
-- A reversal counts at the same time as its original. If the metric never had pending amounts, that is the original's own time.
WITH RECURSIVE back AS (
    SELECT bucket, position, transaction_id, org_id, metric, reverses AS origin FROM transactions WHERE reverses IS NOT NULL
    UNION ALL SELECT back.bucket, back.position, back.transaction_id, back.org_id, back.metric, t.reverses
    FROM back JOIN transactions AS t ON t.transaction_id = back.origin WHERE t.reverses IS NOT NULL
)
SELECT format('transaction %s: counted at %s, the one that it goes back to was at %s', back.transaction_id, said.at, t.occurred_at)
FROM back JOIN transactions AS t ON t.transaction_id = back.origin
JOIN events AS e ON e.bucket = back.bucket AND e.position = back.position
CROSS JOIN LATERAL (SELECT (payload -> 'data' ->> 'countedAt')::timestamptz AS at) AS said
WHERE t.reverses IS NULL AND said.at <> t.occurred_at AND (said.at < t.occurred_at OR NOT EXISTS (
    SELECT FROM document_versions AS d WHERE d.org_id = back.org_id AND d.kind = 'metric' AND d.id = back.metric
        AND coalesce((doc ->> 'pendingDays')::int, 0) > 0
));

-- name: scores_are_sums
-- A score by a metric is the sum of the amounts that counted in the competition. This is only checked where the tables alone
-- can show it: for competitions without segments that were never changed, for metrics without pending amounts, and for
-- members who were never merged and never had an evaluation that failed.
WITH RECURSIVE plain AS (
    SELECT d.org_id, d.id AS competition_id, v.program_version AS since, d.doc -> 'score' ->> 'metric' AS metric,
        coalesce((d.doc ->> 'startDate')::timestamptz, '-infinity') AS begins,
        coalesce((d.doc ->> 'endDate')::timestamptz, 'infinity') AS ends, d.doc -> 'excludedUserIds' AS excluded
    FROM documents AS d JOIN document_versions AS v USING (org_id, kind, id)
    WHERE d.kind = 'competition' AND d.doc ->> 'status' = 'active' AND d.doc -> 'score' ->> 'metric' IS NOT NULL
        AND coalesce(d.doc -> 'leagues', 'null') = 'null' AND coalesce(d.doc -> 'segments', 'null') = 'null'
        AND NOT EXISTS (
            SELECT FROM document_versions AS o WHERE o.org_id = d.org_id AND (
                (o.kind = d.kind AND o.id = d.id AND o.program_version <> v.program_version)
                OR (o.kind = 'metric' AND o.id = d.doc -> 'score' ->> 'metric'
                    AND coalesce((o.doc ->> 'pendingDays')::int, 0) > 0)
            )
        )
), back AS (
    SELECT bucket, position, member_id, amount, occurred_at, reverses AS origin FROM transactions WHERE reverses IS NOT NULL
    UNION ALL SELECT back.bucket, back.position, back.member_id, back.amount, back.occurred_at, t.reverses
    FROM back JOIN transactions AS t ON t.transaction_id = back.origin WHERE t.reverses IS NOT NULL
), earned AS (
    SELECT t.org_id, t.bucket, t.member_id, t.position, t.metric, t.amount, t.occurred_at, t.occurred_at AS booked_at,
        e.program_version AS judged_by
    FROM transactions AS t JOIN events AS e USING (bucket, position)
    WHERE t.reverses IS NULL AND t.amount > 0 AND t.cause_kind NOT IN ('merge', 'import', 'opening')
        AND NOT (e.kind = 'receipt' AND t.cause_kind = 'manual')
    UNION ALL SELECT t.org_id, back.bucket, back.member_id, back.position, t.metric, back.amount, t.occurred_at,
        back.occurred_at, e.program_version
    FROM back JOIN transactions AS t ON t.transaction_id = back.origin
    JOIN events AS e ON e.bucket = t.bucket AND e.position = t.position
    WHERE t.reverses IS NULL AND t.amount > 0 AND t.cause_kind NOT IN ('merge', 'import', 'opening')
        AND NOT (e.kind = 'receipt' AND t.cause_kind = 'manual')
), counted AS (
    SELECT bucket, member_id, competition_id, sum(amount) AS score
    FROM plain JOIN earned USING (org_id, metric) JOIN events USING (org_id, bucket, member_id, position)
    WHERE program_version >= since AND judged_by >= since AND NOT excluded ? user_id
        AND earned.occurred_at >= begins AND earned.occurred_at < ends AND booked_at >= begins AND booked_at < ends
    GROUP BY bucket, member_id, competition_id
)
SELECT format('member %s, competition %s: score %s, transactions %s', member_id, competition_id, coalesce(s.score, 0),
    coalesce(counted.score, 0))
FROM (SELECT bucket, member_id, competition_id, standings.score FROM standings JOIN plain USING (org_id, competition_id)) AS s
FULL JOIN counted USING (bucket, member_id, competition_id) JOIN members AS m USING (bucket, member_id)
WHERE coalesce(s.score, 0) <> coalesce(counted.score, 0) AND m.erased_at IS NULL AND NOT EXISTS (
    SELECT FROM events AS e WHERE e.bucket = m.bucket AND e.member_id = m.member_id
        AND (e.kind IN ('merge', 'takeover') OR outcome::text LIKE '%evaluation_failed%' OR outcome::text LIKE '%out_of_range%')
);

-- name: erased_are_nowhere
-- Erased members are on no leaderboard, in no draw and in no segment, and have no identities, notifications or queued events.
SELECT format('member %s: %s', member_id, string_agg(place, ', ' ORDER BY place)) FROM members JOIN (
    SELECT DISTINCT bucket, member_id, 'a board' AS place FROM standings
    UNION ALL SELECT DISTINCT bucket, member_id, 'a draw' FROM entries
    UNION ALL SELECT DISTINCT bucket, member_id, 'a segment' FROM segment_members
    UNION ALL SELECT DISTINCT bucket, member_id, 'what segments count' FROM progress WHERE kind = 'segment'
    UNION ALL SELECT DISTINCT bucket, member_id, 'identities' FROM identities
    UNION ALL SELECT DISTINCT bucket, member_id, 'consents' FROM consents
    UNION ALL SELECT DISTINCT bucket, member_id, 'notifications' FROM notifications
    UNION ALL SELECT DISTINCT bucket, member_id, 'Web Push' FROM push_subscriptions
    UNION ALL SELECT DISTINCT bucket, member_id, 'the inbox' FROM inbox
    UNION ALL SELECT bucket, member_id, 'what falls due' FROM members WHERE due_at IS NOT NULL
) AS found USING (bucket, member_id) WHERE erased_at IS NOT NULL GROUP BY member_id;

-- name: codes_in_time
-- No code was issued or redeemed after its coupon had expired.
SELECT format('code %s of %s: expired at %s, issued at %s, redeemed at %s', c.code, c.pool_id, expires_at, issued_at, redeemed_at)
FROM coupons AS c LEFT JOIN codes USING (org_id, pool_id, coupon_id, code)
WHERE (expires_at <= issued_at AND cause_kind <> 'import') OR redeemed_at >= expires_at;

-- name: states_of_others
-- States whose kind belongs to no mechanic.
SELECT format('member %s: %s %s', member_id, kind, key) FROM progress WHERE kind <> ALL($1::text[])
ORDER BY bucket, member_id, kind, key;

-- name: transfers
-- A page of transfers after a position, in the order of the log, with the amounts that were debited from their senders.
SELECT e.bucket, e.position, e.event_id, -t.amount AS amount FROM events AS e
JOIN transactions AS t USING (bucket, member_id, position, event_id)
WHERE e.kind = 'transfer' AND t.cause_kind = 'manual' AND (e.bucket, e.position) > ($1, $2)
ORDER BY e.bucket, e.position LIMIT $3;

-- name: arrived
-- The amounts credited by these events. Events that are still in the inbox have no amount yet.
SELECT event_id, sum(amount)::bigint AS amount FROM event_ids JOIN transactions USING (bucket, member_id, position, event_id)
WHERE event_id = ANY($1::uuid[]) AND cause_kind = 'manual' GROUP BY event_id
UNION ALL SELECT event_id, NULL FROM inbox WHERE event_id = ANY($1::uuid[]);

-- name: transfers_reversed
-- The amounts of transfers' and receipts' transactions that were reversed, less those that were credited again since.
WITH RECURSIVE back AS (
    SELECT t.event_id, r.transaction_id, r.amount FROM transactions AS t JOIN events AS e USING (bucket, position)
    JOIN transactions AS r ON r.reverses = t.transaction_id WHERE t.cause_kind = 'manual' AND e.kind IN ('transfer', 'receipt')
        AND NOT EXISTS (SELECT FROM json_array_elements(t.details -> 'parts') AS part WHERE part ->> 2 IS NOT NULL)
    UNION ALL SELECT back.event_id, r.transaction_id, r.amount FROM back JOIN transactions AS r ON r.reverses = back.transaction_id
)
SELECT event_id, sum(amount)::bigint AS amount FROM back GROUP BY event_id;

-- name: counted
-- The numbers of rows to check.
SELECT (SELECT count(*) FROM balances) AS balances, (SELECT count(*) FROM transactions) AS transactions,
    (SELECT count(*) FROM events) AS events, (SELECT count(*) FROM codes) AS codes,
    (SELECT count(*) FROM claimed) AS claimed, (SELECT count(*) FROM segment_members) AS segment_members,
    (SELECT count(*) FROM events WHERE kind = 'prize') AS prizes, (SELECT count(*) FROM positions) AS positions,
    (SELECT count(*) FROM daily_totals) AS daily_totals, (SELECT count(*) FROM members) AS members,
    (SELECT count(*) FROM standings) AS standings, (SELECT count(*) FROM progress) AS states;
