-- name: key
-- The server's key.
SELECT private_key FROM push_keys;

-- name: insert_key
-- The server's key, if nobody was faster.
INSERT INTO push_keys (private_key, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: subscribe
-- A subscription; the keys may have been renewed.
INSERT INTO push_subscriptions (bucket, member_id, subscription_id, org_id, endpoint, p256dh, auth, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (bucket, member_id, subscription_id) DO UPDATE SET p256dh = excluded.p256dh, auth = excluded.auth;

-- name: keep_newest
-- A member's oldest subscriptions make room.
DELETE FROM push_subscriptions WHERE bucket = $1 AND member_id = $2 AND subscription_id NOT IN (
    SELECT subscription_id FROM push_subscriptions WHERE bucket = $1 AND member_id = $2
    ORDER BY created_at DESC, subscription_id LIMIT $3
);

-- name: unsubscribe
-- A subscription is over.
DELETE FROM push_subscriptions WHERE bucket = $1 AND member_id = $2 AND subscription_id = $3;

-- name: of_member
-- A member's subscriptions.
SELECT subscription_id, endpoint, p256dh, auth FROM push_subscriptions WHERE bucket = $1 AND member_id = $2;
