-- Spaces by name; the server's own keys; notifications that are read, and watched.

ALTER TABLE orgs ADD COLUMN slug text UNIQUE;
COMMENT ON COLUMN orgs.slug IS 'The first label of its host name, where a server has one for each organisation.';

CREATE TABLE signing_keys (
    kid text PRIMARY KEY,
    private_key text NOT NULL,
    created_at timestamptz NOT NULL,
    retired_at timestamptz
);
COMMENT ON TABLE signing_keys IS 'The server''s own keys (RSA), which sign access tokens. Their public halves are at /.well-known/jwks.json.';
COMMENT ON COLUMN signing_keys.kid IS 'Names the key in a token''s header.';
COMMENT ON COLUMN signing_keys.private_key IS 'PKCS #8, PEM.';
COMMENT ON COLUMN signing_keys.created_at IS 'Since when it has signed; the youngest signs.';
COMMENT ON COLUMN signing_keys.retired_at IS 'From when on its tokens open nothing; null while it has no end.';

ALTER TABLE notifications DROP CONSTRAINT notifications_display_check;
ALTER TABLE notifications
    ADD COLUMN sequence bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN type text NOT NULL DEFAULT 'message',
    ADD COLUMN step smallint,
    ADD COLUMN changes json,
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN read_at timestamptz;
COMMENT ON COLUMN notifications.display IS 'How the app is to show it: none, toast, banner or modal.';
COMMENT ON COLUMN notifications.sequence IS 'The order in which a member got them: drawn under the bucket''s lock.';
COMMENT ON COLUMN notifications.type IS 'message, step.completed or campaign.completed.';
COMMENT ON COLUMN notifications.step IS 'The step that was done, of a step.completed.';
COMMENT ON COLUMN notifications.changes IS 'What came with it (core/changes.py).';
COMMENT ON COLUMN notifications.expires_at IS 'From when on it is not to be shown; null for never.';
COMMENT ON COLUMN notifications.read_at IS 'When the member has read it; null while unread.';
-- The notifications of a member, in their order.
CREATE INDEX notifications_in_order ON notifications (bucket, member_id, sequence);

CREATE TABLE watches (
    bucket smallint PRIMARY KEY,
    until timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE watches IS 'Buckets of which somebody holds a live stream: a commit says there what has changed.';
COMMENT ON COLUMN watches.bucket IS 'The bucket.';
COMMENT ON COLUMN watches.until IS 'Until when, unless it is watched on.';
