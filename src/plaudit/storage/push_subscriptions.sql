-- name: key
-- The server's key.
SELECT private_key FROM push_keys;

-- name: insert_key
-- Store the server's key, unless another process has just stored one.
INSERT INTO push_keys (private_key, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: subscribe
-- Store a subscription, or update its keys.
INSERT INTO push_subscriptions (bucket, member_id, subscription_id, org_id, endpoint, p256dh, auth, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (bucket, member_id, subscription_id) DO UPDATE SET p256dh = excluded.p256dh, auth = excluded.auth;

-- name: keep_newest
-- Delete a member's oldest subscriptions, beyond the $3 newest.
DELETE FROM push_subscriptions WHERE bucket = $1 AND member_id = $2 AND subscription_id NOT IN (
    SELECT subscription_id FROM push_subscriptions WHERE bucket = $1 AND member_id = $2
    ORDER BY created_at DESC, subscription_id LIMIT $3
);

-- name: unsubscribe
-- Delete a subscription.
DELETE FROM push_subscriptions WHERE bucket = $1 AND member_id = $2 AND subscription_id = $3;

-- name: of_member
-- A member's subscriptions.
SELECT subscription_id, endpoint, p256dh, auth FROM push_subscriptions WHERE bucket = $1 AND member_id = $2;
