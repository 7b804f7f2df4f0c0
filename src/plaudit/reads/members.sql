-- name: member
-- One member.
SELECT member_id, bucket, user_id, attributes, enrolled_at, latest_at, active_at FROM members WHERE bucket = $1 AND member_id = $2;

-- name: members
-- Several members.
SELECT member_id, bucket, user_id, attributes, enrolled_at, latest_at, active_at FROM members
WHERE bucket = ANY($1::smallint[]) AND member_id = ANY($2::uuid[]) AND erased_at IS NULL;

-- name: page
-- The members of an organisation in order of joining whose fields ($5) have these values ($6), compared as text.
SELECT member_id, bucket, user_id, attributes, enrolled_at, latest_at, active_at FROM members
WHERE org_id = $1 AND (enrolled_at, member_id) > ($2, $3) AND erased_at IS NULL AND merged_into IS NULL
    AND NOT EXISTS (
        SELECT FROM unnest($5::text[], $6::text[]) AS wanted (name, value)
        WHERE attributes ->> name IS DISTINCT FROM value AND NOT (name = 'userId' AND user_id = value) AND NOT EXISTS (
            SELECT FROM identities AS i WHERE (i.bucket, i.member_id, i.kind) = (members.bucket, members.member_id, name)
                AND i.value = lower(wanted.value)
        )
    )
ORDER BY enrolled_at, member_id LIMIT $4;

-- name: identities
-- Members' identities.
SELECT member_id, kind, value FROM identities WHERE bucket = ANY($1::smallint[]) AND member_id = ANY($2::uuid[]);

-- name: balances
-- Members' balances.
SELECT member_id, metric, amount, earned, book FROM balances
WHERE bucket = ANY($1::smallint[]) AND member_id = ANY($2::uuid[]);

-- name: holdings
-- The products that members hold.
SELECT member_id, product_id, quantity, first_at, last_at FROM holdings
WHERE bucket = ANY($1::smallint[]) AND member_id = ANY($2::uuid[]) ORDER BY first_at, product_id;

-- name: coupons
-- Members' coupons with their states. A unique coupon has its code's state; a shared one has null unless revoked.
SELECT coupons.member_id, coupons.coupon_id, origin_id, coupons.pool_id, coupons.code, terms, cause_kind, cause_id, issued_at,
    expires_at, CASE WHEN revoked_at IS NULL THEN codes.state ELSE 'revoked' END AS state, codes.redeemed_at, revoked_at
FROM coupons LEFT JOIN codes USING (org_id, pool_id, code)
WHERE coupons.bucket = ANY($1::smallint[]) AND coupons.member_id = ANY($2::uuid[]) ORDER BY issued_at, coupons.coupon_id;

-- name: entries
-- Members' entries in competitions.
SELECT member_id, competition_id, entries FROM entries
WHERE bucket = ANY($1::smallint[]) AND member_id = ANY($2::uuid[]) ORDER BY competition_id;

-- name: transactions
-- The number of members' transactions.
SELECT member_id, count(*) AS count FROM transactions
WHERE bucket = ANY($1::smallint[]) AND member_id = ANY($2::uuid[]) GROUP BY member_id;

-- name: progress
-- Members' progress in campaigns and mechanics.
SELECT member_id, kind, key, state FROM progress
WHERE bucket = ANY($1::smallint[]) AND member_id = ANY($2::uuid[]) ORDER BY kind, key;
