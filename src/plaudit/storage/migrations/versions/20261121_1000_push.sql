-- Web Push.

CREATE TABLE push_keys (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    private_key text NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE push_keys IS 'The server''s key for Web Push (VAPID); for good, since browsers'' subscriptions are bound to it.';
COMMENT ON COLUMN push_keys.one IS 'There is one.';
COMMENT ON COLUMN push_keys.private_key IS 'PKCS #8, PEM; on the curve P-256.';
COMMENT ON COLUMN push_keys.created_at IS 'When it was made.';

CREATE TABLE push_subscriptions (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    org_id uuid NOT NULL,
    endpoint text NOT NULL,
    p256dh text NOT NULL,
    auth text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, member_id, subscription_id)
);
COMMENT ON TABLE push_subscriptions IS 'Browsers and phones that members let us push to.';
COMMENT ON COLUMN push_subscriptions.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN push_subscriptions.member_id IS 'Whose.';
COMMENT ON COLUMN push_subscriptions.subscription_id IS 'Derived from the endpoint.';
COMMENT ON COLUMN push_subscriptions.org_id IS 'Whose member.';
COMMENT ON COLUMN push_subscriptions.endpoint IS 'Where the browser''s push service takes messages for it.';
COMMENT ON COLUMN push_subscriptions.p256dh IS 'The browser''s public key, base64url.';
COMMENT ON COLUMN push_subscriptions.auth IS 'The secret shared with the browser, base64url.';
COMMENT ON COLUMN push_subscriptions.created_at IS 'When it was made.';
