-- The whole current schema. A test proves that the migrations lead to it.
-- Tables that belong to a member begin with `bucket` (hash of organisation and user, 0 to 255): the unit of order, of
-- parallelism and of distribution. Amounts are integers, scaled by the decimals of their metric.

-- ---------------------------------------------------------------------------------------------- organisations

CREATE TABLE orgs (
    org_id uuid PRIMARY KEY,
    name text NOT NULL,
    jwt_secret text NOT NULL,
    program_version bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    is_test boolean NOT NULL DEFAULT false,
    clock_offset interval NOT NULL DEFAULT '0',
    slug text UNIQUE
);
COMMENT ON TABLE orgs IS 'Organisations: the tenants. Everything else belongs to one of them.';
COMMENT ON COLUMN orgs.org_id IS 'The id that clients send as X-Monterosa-Org-ID.';
COMMENT ON COLUMN orgs.name IS 'For display only.';
COMMENT ON COLUMN orgs.jwt_secret IS 'Signs members'' tokens (HS256).';
COMMENT ON COLUMN orgs.program_version IS 'Incremented by every configuration change. The row lock serialises changes.';
COMMENT ON COLUMN orgs.created_at IS 'When it was created.';
COMMENT ON COLUMN orgs.is_test IS 'Whether its clock can be moved.';
COMMENT ON COLUMN orgs.clock_offset IS 'How far its clock is ahead of the wall clock.';
COMMENT ON COLUMN orgs.slug IS 'The first label of its host name, where the server has one per organisation.';

CREATE TABLE api_keys (
    key_id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES orgs,
    name text NOT NULL,
    secret_hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz
);
COMMENT ON TABLE api_keys IS 'API keys. The secret is shown once and never stored.';
COMMENT ON COLUMN api_keys.key_id IS 'Identifies the key; not secret.';
COMMENT ON COLUMN api_keys.org_id IS 'The only organisation that the key gives access to.';
COMMENT ON COLUMN api_keys.name IS 'For display only.';
COMMENT ON COLUMN api_keys.secret_hash IS 'SHA-256 of the secret. The secret has 256 random bits, so a plain hash is enough.';
COMMENT ON COLUMN api_keys.scopes IS 'What the key allows: actions:write, admin:read, admin:write, members:read, members:write.';
COMMENT ON COLUMN api_keys.created_at IS 'When it was created.';
COMMENT ON COLUMN api_keys.expires_at IS 'When it stops working; null if never.';

CREATE TABLE signing_keys (
    kid text PRIMARY KEY,
    private_key text NOT NULL,
    created_at timestamptz NOT NULL,
    retired_at timestamptz
);
COMMENT ON TABLE signing_keys IS 'The server''s own RSA keys, which sign access tokens. The public halves are at /.well-known/jwks.json.';
COMMENT ON COLUMN signing_keys.kid IS 'The key''s id in a token''s header.';
COMMENT ON COLUMN signing_keys.private_key IS 'PKCS #8, PEM.';
COMMENT ON COLUMN signing_keys.created_at IS 'When it was created. The newest key signs.';
COMMENT ON COLUMN signing_keys.retired_at IS 'When its tokens stop being accepted; null while it is active.';

CREATE TABLE clock_moves (
    org_id uuid NOT NULL REFERENCES orgs,
    moved_at timestamptz NOT NULL,
    offset_before interval NOT NULL,
    offset_after interval NOT NULL,
    PRIMARY KEY (org_id, moved_at)
);
COMMENT ON TABLE clock_moves IS 'When clocks of test organisations were moved: times stored by the wall clock are shown by the organisation''s.';
COMMENT ON COLUMN clock_moves.org_id IS 'The organisation.';
COMMENT ON COLUMN clock_moves.moved_at IS 'When it was moved, by the wall clock.';
COMMENT ON COLUMN clock_moves.offset_before IS 'How far the clock was ahead until then.';
COMMENT ON COLUMN clock_moves.offset_after IS 'How far the clock is ahead from then on.';

-- -------------------------------------------------------------------------------------------------- documents

CREATE TABLE documents (
    org_id uuid NOT NULL REFERENCES orgs,
    kind text NOT NULL,
    id text NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    version integer NOT NULL,
    doc jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, kind, id)
);
COMMENT ON TABLE documents IS 'The current configuration: campaigns, rules, metrics, products … Each kind is a type in documents/.';
COMMENT ON COLUMN documents.org_id IS 'The organisation.';
COMMENT ON COLUMN documents.kind IS 'The kind; see documents/kinds.py.';
COMMENT ON COLUMN documents.id IS 'Unique within its kind: random (camp_…), or chosen by the client.';
COMMENT ON COLUMN documents.ordinal IS 'Creation order: the order of lists, and of campaigns with equal priority.';
COMMENT ON COLUMN documents.version IS 'Counts the document''s changes, from 1.';
COMMENT ON COLUMN documents.doc IS 'The document in its canonical form.';
COMMENT ON COLUMN documents.created_at IS 'When it was created.';
COMMENT ON COLUMN documents.created_by IS 'Who created it.';
COMMENT ON COLUMN documents.updated_at IS 'When it was last changed.';
-- Lists are read in the order of creation.
CREATE UNIQUE INDEX documents_in_order ON documents (org_id, kind, ordinal);
-- A stock keeping unit belongs to one product.
CREATE UNIQUE INDEX documents_sku ON documents (org_id, (doc ->> 'sku')) WHERE kind = 'product';
-- A custom field's key is unique.
CREATE UNIQUE INDEX documents_key ON documents (org_id, (doc ->> 'key')) WHERE kind = 'custom_field';

CREATE TABLE document_versions (
    org_id uuid NOT NULL REFERENCES orgs,
    kind text NOT NULL,
    id text NOT NULL,
    version integer NOT NULL,
    ordinal bigint NOT NULL,
    program_version bigint NOT NULL,
    change text NOT NULL CHECK (change IN ('created', 'updated', 'deleted')),
    doc jsonb,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    PRIMARY KEY (org_id, kind, id, program_version),
    CHECK ((doc IS NULL) = (change = 'deleted'))
);
COMMENT ON TABLE document_versions IS 'Every version of every document. It is the audit log, and explains old events.';
COMMENT ON COLUMN document_versions.org_id IS 'The organisation.';
COMMENT ON COLUMN document_versions.kind IS 'Same as documents.kind.';
COMMENT ON COLUMN document_versions.id IS 'Same as documents.id.';
COMMENT ON COLUMN document_versions.version IS 'The document''s own count; starts again when an id is used again after a deletion.';
COMMENT ON COLUMN document_versions.ordinal IS 'Same as documents.ordinal.';
COMMENT ON COLUMN document_versions.program_version IS 'The version of the programme that this change created.';
COMMENT ON COLUMN document_versions.change IS 'created, updated or deleted.';
COMMENT ON COLUMN document_versions.doc IS 'The document after the change; null after a deletion.';
COMMENT ON COLUMN document_versions.changed_at IS 'When it happened.';
COMMENT ON COLUMN document_versions.changed_by IS 'Who did it.';

CREATE TABLE document_references (
    org_id uuid NOT NULL,
    kind text NOT NULL,
    id text NOT NULL,
    field text NOT NULL,
    to_kind text NOT NULL,
    to_id text NOT NULL,
    required boolean NOT NULL DEFAULT true,
    PRIMARY KEY (org_id, kind, id, field),
    FOREIGN KEY (org_id, kind, id) REFERENCES documents ON DELETE CASCADE
);
COMMENT ON TABLE document_references IS 'References between documents. A delete that would leave one dangling is refused.';
COMMENT ON COLUMN document_references.org_id IS 'The organisation.';
COMMENT ON COLUMN document_references.kind IS 'The referring document''s kind.';
COMMENT ON COLUMN document_references.id IS 'The referring document''s id.';
COMMENT ON COLUMN document_references.field IS 'The field that holds the reference.';
COMMENT ON COLUMN document_references.to_kind IS 'The referenced document''s kind.';
COMMENT ON COLUMN document_references.to_id IS 'The referenced document''s id.';
COMMENT ON COLUMN document_references.required IS 'Whether the referenced document must exist.';
-- Finds the documents that refer to another one, before each delete.
CREATE INDEX document_references_to ON document_references (org_id, to_kind, to_id);

-- ---------------------------------------------------------------------------------------------------- members

CREATE TABLE members (
    bucket smallint NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    member_id uuid NOT NULL,
    org_id uuid NOT NULL,
    user_id text NOT NULL,
    attributes json NOT NULL,
    enrolled_at timestamptz NOT NULL,
    latest_at timestamptz NOT NULL,
    sequence bigint NOT NULL,
    due_at timestamptz,
    erased_at timestamptz,
    merged_into text,
    active_at timestamptz,
    PRIMARY KEY (bucket, member_id)
);
COMMENT ON TABLE members IS 'Members. Rows are only written while holding the lock of their bucket.';
COMMENT ON COLUMN members.bucket IS 'The last byte of member_id.';
COMMENT ON COLUMN members.member_id IS 'Derived from organisation and user_id (core/ids.py).';
COMMENT ON COLUMN members.org_id IS 'The organisation.';
COMMENT ON COLUMN members.user_id IS 'The client''s identifier of the member.';
COMMENT ON COLUMN members.attributes IS 'The profile''s fields.';
COMMENT ON COLUMN members.enrolled_at IS 'When the member joined, by the time of the event that enrolled them.';
COMMENT ON COLUMN members.latest_at IS 'Time of the member''s latest event of any kind, including timers.';
COMMENT ON COLUMN members.sequence IS 'Number of events decided for the member; timer ids are derived from it.';
COMMENT ON COLUMN members.due_at IS 'When the next timer is due: an expiry, a lapse, the end of a window.';
COMMENT ON COLUMN members.erased_at IS 'When the member was erased; null otherwise.';
COMMENT ON COLUMN members.merged_into IS 'The user_id of the member that this one was merged into; null otherwise.';
COMMENT ON COLUMN members.active_at IS 'Time of the latest event that the member caused; null if there is none.';
-- Finds members with due timers; every worker uses it many times a minute.
CREATE INDEX members_due ON members (bucket, due_at) WHERE due_at IS NOT NULL;
-- Finds the members who were merged into a member, for erasures and exports.
CREATE INDEX members_merged ON members (org_id, merged_into) WHERE merged_into IS NOT NULL;
-- Members of an organisation are listed in the order of joining.
CREATE INDEX members_of_org ON members (org_id, enrolled_at, member_id);

CREATE TABLE identities (
    org_id uuid NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    user_id text NOT NULL,
    PRIMARY KEY (org_id, kind, value)
);
COMMENT ON TABLE identities IS 'Alternative keys of members; each belongs to one member only.';
COMMENT ON COLUMN identities.org_id IS 'The organisation.';
COMMENT ON COLUMN identities.kind IS 'email (in lower case), phone (digits with a leading plus), or another field that the profile schema marks as unique.';
COMMENT ON COLUMN identities.value IS 'The key itself.';
COMMENT ON COLUMN identities.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN identities.member_id IS 'The member.';
COMMENT ON COLUMN identities.user_id IS 'Copy of the member''s user_id, saves a lookup.';
-- A member has one identity of each kind.
CREATE UNIQUE INDEX identities_of_member ON identities (bucket, member_id, kind);

CREATE TABLE balances (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    metric text NOT NULL,
    amount bigint NOT NULL,
    earned bigint NOT NULL CHECK (earned >= 0),
    book json,
    PRIMARY KEY (bucket, member_id, metric)
);
COMMENT ON TABLE balances IS 'Members'' balances by metric: each is the sum of the member''s transactions of the metric.';
COMMENT ON COLUMN balances.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN balances.member_id IS 'The member.';
COMMENT ON COLUMN balances.metric IS 'The metric''s id.';
COMMENT ON COLUMN balances.amount IS 'The current balance.';
COMMENT ON COLUMN balances.earned IS 'Earned in the member''s lifetime: credits, without transfers received and without what was reversed.';
COMMENT ON COLUMN balances.book IS 'Lots, holds and cap counters (core/ledger/lots.py); null if the balance is a single lot that never expires.';

CREATE TABLE progress (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    state json NOT NULL,
    PRIMARY KEY (bucket, member_id, kind, key)
);
COMMENT ON TABLE progress IS 'Members'' states in campaigns, streaks, ladders …: one small document each.';
COMMENT ON COLUMN progress.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN progress.member_id IS 'The member.';
COMMENT ON COLUMN progress.kind IS 'The kind of document that the state belongs to: campaign, or a mechanic''s kind.';
COMMENT ON COLUMN progress.key IS 'The document''s id.';
COMMENT ON COLUMN progress.state IS 'The state, as JSON; see core/member.py.';
-- Lists the members who take part in a campaign.
CREATE INDEX progress_of_campaign ON progress (key, member_id) WHERE kind = 'campaign';

CREATE TABLE segment_members (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    org_id uuid NOT NULL,
    segment_id text NOT NULL,
    user_id text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (bucket, member_id, segment_id)
);
COMMENT ON TABLE segment_members IS 'Members by segment. Derived from progress; exists for listing.';
COMMENT ON COLUMN segment_members.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN segment_members.member_id IS 'The member.';
COMMENT ON COLUMN segment_members.org_id IS 'The organisation.';
COMMENT ON COLUMN segment_members.segment_id IS 'The segment''s id.';
COMMENT ON COLUMN segment_members.user_id IS 'The client''s identifier of the member.';
COMMENT ON COLUMN segment_members.since IS 'When the member entered the segment.';
-- The members of a segment, in a stable order.
CREATE INDEX segment_members_of ON segment_members (org_id, segment_id, member_id);

CREATE TABLE segment_fills (
    org_id uuid NOT NULL,
    segment_id text NOT NULL,
    version bigint NOT NULL,
    bucket smallint NOT NULL DEFAULT 0,
    looked_at bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    finished_at timestamptz,
    PRIMARY KEY (org_id, segment_id)
);
COMMENT ON TABLE segment_fills IS 'Progress of evaluating existing members for a new or changed segment.';
COMMENT ON COLUMN segment_fills.org_id IS 'The organisation.';
COMMENT ON COLUMN segment_fills.segment_id IS 'The segment''s id.';
COMMENT ON COLUMN segment_fills.version IS 'The segment''s version that members are evaluated for.';
COMMENT ON COLUMN segment_fills.bucket IS 'The next bucket of members to evaluate.';
COMMENT ON COLUMN segment_fills.looked_at IS 'Number of members evaluated.';
COMMENT ON COLUMN segment_fills.changed IS 'Number of members who enter or leave the segment.';
COMMENT ON COLUMN segment_fills.finished_at IS 'When all members had been evaluated.';

CREATE TABLE holdings (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    product_id text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, member_id, product_id)
);
COMMENT ON TABLE holdings IS 'Products that members have.';
COMMENT ON COLUMN holdings.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN holdings.member_id IS 'The member.';
COMMENT ON COLUMN holdings.product_id IS 'The product''s id.';
COMMENT ON COLUMN holdings.quantity IS 'How many the member has.';
COMMENT ON COLUMN holdings.first_at IS 'When the member got the first one.';
COMMENT ON COLUMN holdings.last_at IS 'When the member got the latest one.';

CREATE TABLE entries (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    competition_id text NOT NULL,
    entries bigint NOT NULL CHECK (entries > 0),
    PRIMARY KEY (bucket, member_id, competition_id)
);
COMMENT ON TABLE entries IS 'Entries in competitions.';
COMMENT ON COLUMN entries.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN entries.member_id IS 'The member.';
COMMENT ON COLUMN entries.competition_id IS 'The competition''s id.';
COMMENT ON COLUMN entries.entries IS 'How many the member has.';

-- The entries in a competition, for its draw.
CREATE INDEX entries_of ON entries (competition_id, member_id);

CREATE TABLE standings (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    org_id uuid NOT NULL,
    competition_id text NOT NULL,
    user_id text NOT NULL,
    score bigint NOT NULL,
    reached_at timestamptz NOT NULL,
    scope text NOT NULL,
    round text NOT NULL,
    previous_round text NOT NULL,
    previous_score bigint NOT NULL,
    previous_reached_at timestamptz,
    position bigint NOT NULL,
    PRIMARY KEY (bucket, member_id, competition_id)
);
COMMENT ON TABLE standings IS 'Members'' scores in competitions.';
COMMENT ON COLUMN standings.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN standings.member_id IS 'The member.';
COMMENT ON COLUMN standings.org_id IS 'The organisation.';
COMMENT ON COLUMN standings.competition_id IS 'The competition''s id.';
COMMENT ON COLUMN standings.user_id IS 'The client''s identifier of the member.';
COMMENT ON COLUMN standings.score IS 'The score, scaled by the metric''s decimals, or in millionths for a score by events.';
COMMENT ON COLUMN standings.reached_at IS 'When the score was reached. Breaks ties: earlier ranks higher.';
COMMENT ON COLUMN standings.scope IS 'The part of the board; in a league, the division.';
COMMENT ON COLUMN standings.round IS 'The league''s round that the score belongs to; empty without a league.';
COMMENT ON COLUMN standings.previous_round IS 'The previous round in which the member scored.';
COMMENT ON COLUMN standings.previous_score IS 'The score of that round.';
COMMENT ON COLUMN standings.previous_reached_at IS 'When that score was reached.';
COMMENT ON COLUMN standings.position IS 'Log position of the event that changed it; in-memory boards use it to catch up.';
-- Finds the standings that have changed, for every process that has the leaderboard in memory.
CREATE INDEX standings_of ON standings (org_id, competition_id, bucket, position);

CREATE TABLE competition_results (
    org_id uuid NOT NULL,
    competition_id text NOT NULL,
    seed bytea NOT NULL,
    opened_at timestamptz NOT NULL,
    settled_at timestamptz,
    result json,
    PRIMARY KEY (org_id, competition_id)
);
COMMENT ON TABLE competition_results IS 'Draw seed and final result of a competition.';
COMMENT ON COLUMN competition_results.org_id IS 'The organisation.';
COMMENT ON COLUMN competition_results.competition_id IS 'The competition''s id.';
COMMENT ON COLUMN competition_results.seed IS 'Random seed of the draw. Its hash is public from the opening; the seed is published with the result.';
COMMENT ON COLUMN competition_results.opened_at IS 'When the seed was created.';
COMMENT ON COLUMN competition_results.settled_at IS 'When the draw was held or the prizes were awarded.';
COMMENT ON COLUMN competition_results.result IS 'The winners, in order.';

CREATE TABLE league_rounds (
    org_id uuid NOT NULL,
    competition_id text NOT NULL,
    round text NOT NULL,
    settled_at timestamptz NOT NULL,
    result json NOT NULL,
    PRIMARY KEY (org_id, competition_id, round)
);
COMMENT ON TABLE league_rounds IS 'Rounds of leagues that are over, with who moved or won.';
COMMENT ON COLUMN league_rounds.org_id IS 'The organisation.';
COMMENT ON COLUMN league_rounds.competition_id IS 'The competition''s id.';
COMMENT ON COLUMN league_rounds.round IS 'The round: the name of a day, week or month.';
COMMENT ON COLUMN league_rounds.settled_at IS 'When it was settled.';
COMMENT ON COLUMN league_rounds.result IS 'Who moved or won, by division and rank.';

CREATE TABLE coupons (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    coupon_id uuid NOT NULL,
    org_id uuid NOT NULL,
    origin_id text NOT NULL,
    pool_id text,
    code text NOT NULL,
    terms json NOT NULL,
    cause_id text NOT NULL,
    event_id uuid NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    cause_kind text NOT NULL,
    PRIMARY KEY (bucket, member_id, coupon_id)
);
COMMENT ON TABLE coupons IS 'Codes issued to members. For a unique code, codes.state holds its state.';
COMMENT ON COLUMN coupons.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN coupons.member_id IS 'The member.';
COMMENT ON COLUMN coupons.coupon_id IS 'Derived from the effect that issued it.';
COMMENT ON COLUMN coupons.org_id IS 'The organisation.';
COMMENT ON COLUMN coupons.origin_id IS 'The reward, product or pool that it comes from.';
COMMENT ON COLUMN coupons.pool_id IS 'The pool of a unique code; null for a code that is the same for everybody.';
COMMENT ON COLUMN coupons.code IS 'The code that the member shows.';
COMMENT ON COLUMN coupons.terms IS 'What it is worth, as its reward says.';
COMMENT ON COLUMN coupons.cause_kind IS 'What brought it about: campaign, manual_grant, or another kind of cause (core/cause.py).';
COMMENT ON COLUMN coupons.cause_id IS 'The campaign''s, streak''s … id; empty for kinds without one.';
COMMENT ON COLUMN coupons.event_id IS 'The event that it followed from.';
COMMENT ON COLUMN coupons.issued_at IS 'When it was issued, by the time of the event.';
COMMENT ON COLUMN coupons.expires_at IS 'When it becomes invalid; null if never.';
COMMENT ON COLUMN coupons.revoked_at IS 'When it was revoked, by the time of the event; null if it is valid.';

CREATE TABLE notifications (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    notification_id uuid NOT NULL,
    cause_id text NOT NULL,
    display text NOT NULL,
    title text,
    message text NOT NULL,
    created_at timestamptz NOT NULL,
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    type text NOT NULL DEFAULT 'message',
    step smallint,
    changes json,
    expires_at timestamptz,
    read_at timestamptz,
    cause_kind text NOT NULL,
    PRIMARY KEY (bucket, member_id, notification_id)
);
COMMENT ON TABLE notifications IS 'Notifications for members.';
COMMENT ON COLUMN notifications.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN notifications.member_id IS 'The member.';
COMMENT ON COLUMN notifications.notification_id IS 'Derived from the effect that made it.';
COMMENT ON COLUMN notifications.cause_kind IS 'What brought it about: campaign, or another kind of cause (core/cause.py).';
COMMENT ON COLUMN notifications.cause_id IS 'The campaign''s, streak''s … id; empty for kinds without one.';
COMMENT ON COLUMN notifications.display IS 'How the app shows it: none, toast, banner or modal.';
COMMENT ON COLUMN notifications.title IS 'The heading, if there is one.';
COMMENT ON COLUMN notifications.message IS 'The text.';
COMMENT ON COLUMN notifications.created_at IS 'When it was created, by the time of the event.';
COMMENT ON COLUMN notifications.sequence IS 'Increasing number per member, assigned under the bucket lock.';
COMMENT ON COLUMN notifications.type IS 'message, step.completed or campaign.completed.';
COMMENT ON COLUMN notifications.step IS 'The step that was completed, for a step.completed.';
COMMENT ON COLUMN notifications.changes IS 'What changed with it (core/change_summary.py).';
COMMENT ON COLUMN notifications.expires_at IS 'When it is no longer shown; null if never.';
COMMENT ON COLUMN notifications.read_at IS 'When the member read it; null while unread.';
-- The notifications of a member, in their order.
CREATE INDEX notifications_in_order ON notifications (bucket, member_id, sequence);

CREATE TABLE push_keys (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    private_key text NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE push_keys IS 'The server''s key for Web Push (VAPID). It is permanent: browsers'' subscriptions are bound to it.';
COMMENT ON COLUMN push_keys.one IS 'Constant; enforces a single row.';
COMMENT ON COLUMN push_keys.private_key IS 'PKCS #8, PEM; on the curve P-256.';
COMMENT ON COLUMN push_keys.created_at IS 'When it was created.';

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
COMMENT ON TABLE push_subscriptions IS 'Browsers and phones that members receive Web Push on.';
COMMENT ON COLUMN push_subscriptions.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN push_subscriptions.member_id IS 'The member.';
COMMENT ON COLUMN push_subscriptions.subscription_id IS 'Derived from the endpoint.';
COMMENT ON COLUMN push_subscriptions.org_id IS 'The organisation.';
COMMENT ON COLUMN push_subscriptions.endpoint IS 'The address of the browser''s push service for it.';
COMMENT ON COLUMN push_subscriptions.p256dh IS 'The browser''s public key, base64url.';
COMMENT ON COLUMN push_subscriptions.auth IS 'The secret shared with the browser, base64url.';
COMMENT ON COLUMN push_subscriptions.created_at IS 'When it was created.';

CREATE TABLE watches (
    bucket smallint PRIMARY KEY,
    until timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE watches IS 'Buckets with open live streams. Commits in them send a notification.';
COMMENT ON COLUMN watches.bucket IS 'The bucket.';
COMMENT ON COLUMN watches.until IS 'When the watch ends unless renewed.';

-- ---------------------------------------------------------------------------------- how an event is processed

CREATE TABLE inbox (
    bucket smallint NOT NULL,
    inbox_id bigint GENERATED ALWAYS AS IDENTITY,
    event_id uuid NOT NULL,
    event_key text,
    org_id uuid NOT NULL,
    member_id uuid NOT NULL,
    user_id text NOT NULL,
    kind text NOT NULL,
    trigger text NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    source text NOT NULL,
    fingerprint bigint,
    payload json NOT NULL,
    PRIMARY KEY (bucket, inbox_id)
) WITH (
    -- Rows are inserted and deleted all the time: vacuum often, so that scans meet few dead rows.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_insert_scale_factor = 1, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000
);
COMMENT ON TABLE inbox IS 'Events not decided yet. Deciding one moves it to events in the same transaction.';
COMMENT ON COLUMN inbox.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN inbox.inbox_id IS 'Arrival order. Rows become visible in commit order, so never poll by last id; decided rows are removed.';
COMMENT ON COLUMN inbox.event_id IS 'Random, or derived from event_key.';
COMMENT ON COLUMN inbox.event_key IS 'The sender''s own id of the event: the same id is the same event.';
COMMENT ON COLUMN inbox.org_id IS 'The organisation.';
COMMENT ON COLUMN inbox.member_id IS 'The member, who need not exist yet.';
COMMENT ON COLUMN inbox.user_id IS 'The client''s identifier of the member.';
COMMENT ON COLUMN inbox.kind IS 'action, or a command such as grant or profile (core/event.py).';
COMMENT ON COLUMN inbox.trigger IS 'The trigger that campaigns listen to.';
COMMENT ON COLUMN inbox.occurred_at IS 'When it happened, according to its sender.';
COMMENT ON COLUMN inbox.received_at IS 'When the server received it.';
COMMENT ON COLUMN inbox.source IS 'How it arrived: api, member, import, engine …';
COMMENT ON COLUMN inbox.fingerprint IS 'Hash of the content. The same key with different content is an error.';
COMMENT ON COLUMN inbox.payload IS 'data and metadata, as sent.';
-- An event with a key that is sent again while the first one waits is a duplicate.
CREATE UNIQUE INDEX inbox_keyed ON inbox (event_id) WHERE event_key IS NOT NULL;

CREATE TABLE positions (
    bucket smallint PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0,
    moved_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 20);
COMMENT ON TABLE positions IS 'Last log position of each bucket. The row lock is the bucket lock: it is held from deciding to commit.';
COMMENT ON COLUMN positions.bucket IS 'The bucket.';
COMMENT ON COLUMN positions.position IS 'The position of the last event in its log.';
COMMENT ON COLUMN positions.moved_at IS 'When it was last written. While history is being imported, overdue timers wait for it.';
INSERT INTO positions (bucket) SELECT generate_series(0, 255);

CREATE TABLE event_ids (
    event_id uuid PRIMARY KEY,
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    position bigint NOT NULL,
    decided_at timestamptz NOT NULL,
    fingerprint bigint
);
COMMENT ON TABLE event_ids IS 'Ids of all decided events. Guarantees that each counts once, even after its partition is archived.';
COMMENT ON COLUMN event_ids.event_id IS 'Unique among all events.';
COMMENT ON COLUMN event_ids.bucket IS 'The bucket of its log.';
COMMENT ON COLUMN event_ids.member_id IS 'The member.';
COMMENT ON COLUMN event_ids.position IS 'Its position in the bucket''s log.';
COMMENT ON COLUMN event_ids.decided_at IS 'When it was decided, which names its partition.';
COMMENT ON COLUMN event_ids.fingerprint IS 'Same as inbox.fingerprint.';

CREATE TABLE events (
    bucket smallint NOT NULL,
    position bigint NOT NULL,
    event_id uuid NOT NULL,
    event_key text,
    org_id uuid NOT NULL,
    member_id uuid NOT NULL,
    user_id text NOT NULL,
    kind text NOT NULL,
    trigger text NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    decided_at timestamptz NOT NULL,
    source text NOT NULL,
    state text NOT NULL CHECK (state IN ('processed', 'rejected')),
    program_version bigint NOT NULL,
    payload json NOT NULL,
    outcome json NOT NULL,
    PRIMARY KEY (bucket, member_id, position, decided_at)
) PARTITION BY RANGE (decided_at);
COMMENT ON TABLE events IS 'The event log, in order per bucket. Append-only, partitioned by month.';
COMMENT ON COLUMN events.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN events.position IS 'The place in the bucket''s log, without gaps, assigned under the bucket lock.';
COMMENT ON COLUMN events.event_id IS 'Same as event_ids.event_id.';
COMMENT ON COLUMN events.event_key IS 'The sender''s own id of the event.';
COMMENT ON COLUMN events.org_id IS 'The organisation.';
COMMENT ON COLUMN events.member_id IS 'The member.';
COMMENT ON COLUMN events.user_id IS 'The client''s identifier of the member.';
COMMENT ON COLUMN events.kind IS 'Same as inbox.kind.';
COMMENT ON COLUMN events.trigger IS 'The trigger that campaigns listened to.';
COMMENT ON COLUMN events.occurred_at IS 'When it happened, according to its sender.';
COMMENT ON COLUMN events.received_at IS 'When the server received it.';
COMMENT ON COLUMN events.decided_at IS 'When it was decided.';
COMMENT ON COLUMN events.source IS 'Same as inbox.source.';
COMMENT ON COLUMN events.state IS 'processed; or rejected, with the reason in outcome.';
COMMENT ON COLUMN events.program_version IS 'The version of the programme that decided it.';
COMMENT ON COLUMN events.payload IS 'data and metadata, as sent.';
COMMENT ON COLUMN events.outcome IS 'The trace, and which claims succeeded or were refused (engine/processed.py).';
-- The events of an organisation, newest first.
CREATE INDEX events_of_org ON events (org_id, decided_at, bucket, position);
CREATE TABLE events_rest PARTITION OF events DEFAULT;
COMMENT ON TABLE events_rest IS 'Default partition. Empty as long as monthly partitions are created in time.';

CREATE TABLE failed_events (
    event_id uuid PRIMARY KEY,
    bucket smallint NOT NULL,
    event_key text,
    org_id uuid NOT NULL,
    member_id uuid NOT NULL,
    user_id text NOT NULL,
    kind text NOT NULL,
    trigger text NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    source text NOT NULL,
    fingerprint bigint,
    payload json NOT NULL,
    error text NOT NULL,
    failed_at timestamptz NOT NULL
);
COMMENT ON TABLE failed_events IS 'Events whose decision raised an error. Set aside so that they do not block others; a retry moves them back to inbox.';
COMMENT ON COLUMN failed_events.event_id IS 'Same as inbox.event_id.';
COMMENT ON COLUMN failed_events.bucket IS 'Same as inbox.bucket.';
COMMENT ON COLUMN failed_events.event_key IS 'Same as inbox.event_key.';
COMMENT ON COLUMN failed_events.org_id IS 'Same as inbox.org_id.';
COMMENT ON COLUMN failed_events.member_id IS 'Same as inbox.member_id.';
COMMENT ON COLUMN failed_events.user_id IS 'Same as inbox.user_id.';
COMMENT ON COLUMN failed_events.kind IS 'Same as inbox.kind.';
COMMENT ON COLUMN failed_events.trigger IS 'Same as inbox.trigger.';
COMMENT ON COLUMN failed_events.occurred_at IS 'Same as inbox.occurred_at.';
COMMENT ON COLUMN failed_events.received_at IS 'Same as inbox.received_at.';
COMMENT ON COLUMN failed_events.source IS 'Same as inbox.source.';
COMMENT ON COLUMN failed_events.fingerprint IS 'Same as inbox.fingerprint.';
COMMENT ON COLUMN failed_events.payload IS 'Same as inbox.payload.';
COMMENT ON COLUMN failed_events.error IS 'The traceback.';
COMMENT ON COLUMN failed_events.failed_at IS 'When it last failed.';
-- The failed events of an organisation, newest first.
CREATE INDEX failed_events_of_org ON failed_events (org_id, failed_at, event_id);

CREATE TABLE transactions (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    position bigint NOT NULL,
    ordinal smallint NOT NULL,
    transaction_id uuid NOT NULL,
    org_id uuid NOT NULL,
    user_id text NOT NULL,
    metric text NOT NULL,
    amount bigint NOT NULL,
    balance_after bigint NOT NULL,
    cause_id text NOT NULL,
    step smallint NOT NULL,
    index smallint NOT NULL,
    event_id uuid NOT NULL,
    reason text,
    occurred_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    reverses uuid,
    details json,
    cause_kind text NOT NULL,
    PRIMARY KEY (bucket, member_id, position, ordinal, created_at),
    CHECK (amount <> 0 OR details IS NOT NULL OR reverses IS NOT NULL)
) PARTITION BY RANGE (created_at);
COMMENT ON TABLE transactions IS 'The ledger. Append-only; corrections are new transactions.';
COMMENT ON COLUMN transactions.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN transactions.member_id IS 'The member.';
COMMENT ON COLUMN transactions.position IS 'The position of its event in the bucket''s log.';
COMMENT ON COLUMN transactions.ordinal IS 'Its place among the transactions of its event.';
COMMENT ON COLUMN transactions.transaction_id IS 'Derived from (event, cause, step, index).';
COMMENT ON COLUMN transactions.org_id IS 'The organisation.';
COMMENT ON COLUMN transactions.user_id IS 'The client''s identifier of the member.';
COMMENT ON COLUMN transactions.metric IS 'The metric''s id.';
COMMENT ON COLUMN transactions.amount IS 'The credit, or the debit if negative.';
COMMENT ON COLUMN transactions.balance_after IS 'The balance after it.';
COMMENT ON COLUMN transactions.cause_kind IS 'What brought it about: campaign, manual, streak, expiry … (core/cause.py).';
COMMENT ON COLUMN transactions.cause_id IS 'The campaign''s, streak''s, metric''s … id; empty for kinds without one.';
COMMENT ON COLUMN transactions.step IS 'The step of the campaign.';
COMMENT ON COLUMN transactions.index IS 'The effect of the step.';
COMMENT ON COLUMN transactions.event_id IS 'The event that it followed from.';
COMMENT ON COLUMN transactions.reason IS 'For display only.';
COMMENT ON COLUMN transactions.occurred_at IS 'When it happened, by the time of the event.';
COMMENT ON COLUMN transactions.created_at IS 'When it was stored.';
COMMENT ON COLUMN transactions.reverses IS 'The transaction that it reverses.';
COMMENT ON COLUMN transactions.details IS 'Its postings on lots; or why the amount is 0 and when the next one is possible.';
-- Finds a transaction by its id. (It does not keep effects from being paid twice, as each month has its own index: event_ids does.)
CREATE UNIQUE INDEX transactions_by_id ON transactions (bucket, transaction_id, created_at);
-- The transactions of an organisation, newest first.
CREATE INDEX transactions_of_org ON transactions (org_id, created_at, bucket, position, ordinal);
CREATE TABLE transactions_rest PARTITION OF transactions DEFAULT;
COMMENT ON TABLE transactions_rest IS 'Default partition. Empty as long as monthly partitions are created in time.';

-- ---------------------------------------------------------------------------------- scarce resources

CREATE TABLE claimed (
    org_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('cap', 'stock')),
    key text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity >= 0),
    PRIMARY KEY (org_id, kind, key)
) WITH (fillfactor = 20);
COMMENT ON TABLE claimed IS 'Amounts used of scarce things: overall campaign limits and product stock. The totals are in the documents.';
COMMENT ON COLUMN claimed.org_id IS 'The organisation.';
COMMENT ON COLUMN claimed.kind IS 'cap or stock.';
COMMENT ON COLUMN claimed.key IS 'The campaign''s or the product''s id.';
COMMENT ON COLUMN claimed.quantity IS 'The amount used.';

CREATE TABLE codes (
    org_id uuid NOT NULL,
    pool_id text NOT NULL,
    code text NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    state text NOT NULL DEFAULT 'available' CHECK (state IN ('available', 'allocated', 'redeemed', 'revoked', 'expired')),
    bucket smallint,
    member_id uuid,
    coupon_id uuid,
    allocated_at timestamptz,
    redeemed_at timestamptz,
    PRIMARY KEY (org_id, pool_id, code),
    CHECK ((state IN ('allocated', 'redeemed', 'revoked')) = (coupon_id IS NOT NULL)),
    CHECK ((state = 'redeemed') = (redeemed_at IS NOT NULL))
);
COMMENT ON TABLE codes IS 'The codes of pools.';
COMMENT ON COLUMN codes.org_id IS 'The organisation.';
COMMENT ON COLUMN codes.pool_id IS 'The code pool''s id.';
COMMENT ON COLUMN codes.code IS 'The secret code.';
COMMENT ON COLUMN codes.ordinal IS 'The order in which codes are issued.';
COMMENT ON COLUMN codes.state IS 'available → allocated (issued to a member) → redeemed (used) or revoked; or available → expired.';
COMMENT ON COLUMN codes.bucket IS 'The bucket of the member who has it, or had it until it was revoked.';
COMMENT ON COLUMN codes.member_id IS 'That member.';
COMMENT ON COLUMN codes.coupon_id IS 'The coupon that it was issued as.';
COMMENT ON COLUMN codes.allocated_at IS 'When it was issued.';
COMMENT ON COLUMN codes.redeemed_at IS 'When it was used.';
-- The next available code of a pool.
CREATE INDEX codes_available ON codes (org_id, pool_id, ordinal) WHERE state = 'available';
-- Finds a code as a user typed it, regardless of case.
CREATE INDEX codes_but_for_case ON codes (org_id, pool_id, lower(code), ordinal);

-- ------------------------------------------------------------------------------------------------------ workers

CREATE TABLE leases (
    bucket smallint PRIMARY KEY,
    worker_id uuid,
    until timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 20);
COMMENT ON TABLE leases IS 'Which worker processes which bucket, and until when unless renewed (engine/leases.py).';
COMMENT ON COLUMN leases.bucket IS 'The bucket.';
COMMENT ON COLUMN leases.worker_id IS 'The worker; null if there is none.';
COMMENT ON COLUMN leases.until IS 'When the lease ends unless renewed.';
INSERT INTO leases (bucket) SELECT generate_series(0, 255);

CREATE TABLE workers (
    worker_id uuid PRIMARY KEY,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL
);
COMMENT ON TABLE workers IS 'Live workers, which share the buckets.';
COMMENT ON COLUMN workers.worker_id IS 'Random, new at each start.';
COMMENT ON COLUMN workers.started_at IS 'When it started.';
COMMENT ON COLUMN workers.seen_at IS 'Time of the last heartbeat.';

-- ------------------------------------------------------------------------------------------------- the API's own

CREATE TABLE rate_windows (
    key text PRIMARY KEY,
    ends_at timestamptz NOT NULL,
    used bigint NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE rate_windows IS 'Requests counted in the current window of each rate limit.';
COMMENT ON COLUMN rate_windows.key IS 'The limit and the caller.';
COMMENT ON COLUMN rate_windows.ends_at IS 'When the window ends.';
COMMENT ON COLUMN rate_windows.used IS 'Requests counted; may exceed the limit when some were rejected.';

CREATE TABLE idempotency_keys (
    org_id uuid NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    begun_at timestamptz NOT NULL,
    status integer,
    content bytea,
    caller text,
    made text,
    PRIMARY KEY (org_id, key)
);
COMMENT ON TABLE idempotency_keys IS 'Responses to requests with an Idempotency-Key, kept for a day. Responses with a secret are not stored.';
COMMENT ON COLUMN idempotency_keys.org_id IS 'The organisation.';
COMMENT ON COLUMN idempotency_keys.key IS 'The client''s key.';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'Hash of the call and its body.';
COMMENT ON COLUMN idempotency_keys.begun_at IS 'When the request was received.';
COMMENT ON COLUMN idempotency_keys.status IS 'Status of the response; null while the request is in progress.';
COMMENT ON COLUMN idempotency_keys.content IS 'Body of the response; null if it holds a secret.';
COMMENT ON COLUMN idempotency_keys.caller IS 'The only caller that gets the response again: the member, or the key and its scopes.';
COMMENT ON COLUMN idempotency_keys.made IS 'The id of what was created, where the response is not stored.';
-- Finds expired keys, to delete them.
CREATE INDEX idempotency_keys_begun ON idempotency_keys (begun_at);

-- ----------------------------------------------------------------------------------------- consents, erasure

CREATE TABLE consents (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    purpose text NOT NULL,
    granted boolean NOT NULL,
    source text,
    given_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    recorded_by text NOT NULL,
    PRIMARY KEY (bucket, member_id, ordinal)
);
COMMENT ON TABLE consents IS 'Consents given and withdrawn, with history. Deleted on erasure.';
COMMENT ON COLUMN consents.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN consents.member_id IS 'The member.';
COMMENT ON COLUMN consents.ordinal IS 'The order in which they were recorded.';
COMMENT ON COLUMN consents.purpose IS 'What the consent is for.';
COMMENT ON COLUMN consents.granted IS 'Whether it was given or withdrawn.';
COMMENT ON COLUMN consents.source IS 'Where it was given: a form, a call, a shop.';
COMMENT ON COLUMN consents.given_at IS 'When it was given.';
COMMENT ON COLUMN consents.recorded_at IS 'When it was stored.';
COMMENT ON COLUMN consents.recorded_by IS 'Who stored it.';

-- ---------------------------------------------------------------------------------------------- analytics

CREATE TABLE daily_totals (
    org_id uuid NOT NULL,
    day date NOT NULL,
    metric text NOT NULL,
    cause_id text NOT NULL,
    stripe smallint NOT NULL,
    credits numeric NOT NULL,
    debits numeric NOT NULL,
    credit_count bigint NOT NULL,
    debit_count bigint NOT NULL,
    cause_kind text NOT NULL,
    PRIMARY KEY (org_id, day, metric, cause_kind, cause_id, stripe)
) WITH (fillfactor = 50);
COMMENT ON TABLE daily_totals IS 'Amounts credited and debited by day, metric and cause. Maintained by every commit, so analytics never scan the ledger.';
COMMENT ON COLUMN daily_totals.org_id IS 'The organisation.';
COMMENT ON COLUMN daily_totals.day IS 'The day of the transactions, in the organisation''s time zone.';
COMMENT ON COLUMN daily_totals.metric IS 'The metric''s id.';
COMMENT ON COLUMN daily_totals.cause_kind IS 'Same as transactions.cause_kind.';
COMMENT ON COLUMN daily_totals.cause_id IS 'Same as transactions.cause_id.';
COMMENT ON COLUMN daily_totals.stripe IS 'Writer number, so that concurrent lanes do not contend for a row. Sum over stripes.';
COMMENT ON COLUMN daily_totals.credits IS 'Sum of the credits.';
COMMENT ON COLUMN daily_totals.debits IS 'Sum of the debits, as a positive number.';
COMMENT ON COLUMN daily_totals.credit_count IS 'Number of credits.';
COMMENT ON COLUMN daily_totals.debit_count IS 'Number of debits.';

-- ----------------------------------------------------------------------------------------------- outgoing

CREATE TABLE outbox (
    bucket smallint NOT NULL,
    position bigint NOT NULL,
    ordinal integer NOT NULL,
    message_id uuid NOT NULL,
    org_id uuid NOT NULL,
    member_id uuid,
    type text NOT NULL,
    only_to text,
    payload json NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, position, ordinal)
);
COMMENT ON TABLE outbox IS 'Messages to other systems, stored by the commit that they report.';
COMMENT ON COLUMN outbox.bucket IS 'The bucket of the member that it is about; from 256 on that of an organisation, for what is about no member.';
COMMENT ON COLUMN outbox.position IS 'That of its event in the bucket''s log, or the organisation bucket''s own; 0 for messages older than this numbering. Assigned under a lock held to the commit, so none becomes visible before an earlier one.';
COMMENT ON COLUMN outbox.ordinal IS 'The order within the position.';
COMMENT ON COLUMN outbox.message_id IS 'The message''s public id: webhook-id.';
COMMENT ON COLUMN outbox.org_id IS 'The organisation.';
COMMENT ON COLUMN outbox.member_id IS 'The member that it is about, if there is one.';
COMMENT ON COLUMN outbox.type IS 'The type of message: transaction.created …';
COMMENT ON COLUMN outbox.only_to IS 'The only webhook that it is for; null for all webhooks that want its type.';
COMMENT ON COLUMN outbox.payload IS 'The message.';
COMMENT ON COLUMN outbox.created_at IS 'When it was stored.';
-- One message.
CREATE UNIQUE INDEX outbox_by_id ON outbox (message_id);

CREATE TABLE outbox_ends (
    bucket smallint PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE outbox_ends IS 'Last outbox position of each organisation bucket. Writers hold the row lock to the commit.';
COMMENT ON COLUMN outbox_ends.bucket IS 'The bucket, from 256 on.';
COMMENT ON COLUMN outbox_ends.position IS 'The position of its last message.';
INSERT INTO outbox_ends (bucket) SELECT generate_series(256, 511);

CREATE TABLE outbox_handed (
    bucket smallint PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0,
    ordinal integer NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
COMMENT ON TABLE outbox_handed IS 'How far each bucket''s messages have been handed out to webhooks and to the feed.';
COMMENT ON COLUMN outbox_handed.bucket IS 'The bucket.';
COMMENT ON COLUMN outbox_handed.position IS 'The last message''s position.';
COMMENT ON COLUMN outbox_handed.ordinal IS 'The last message''s ordinal.';
INSERT INTO outbox_handed (bucket) SELECT generate_series(0, 511);

CREATE TABLE feed (
    org_id uuid NOT NULL,
    number bigint NOT NULL,
    message_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    earlier_xid bigint,
    earlier_ordinal bigint,
    PRIMARY KEY (org_id, number)
);
COMMENT ON TABLE feed IS 'The order of an organisation''s messages: each gets the next number when it is handed out.';
COMMENT ON COLUMN feed.org_id IS 'The organisation.';
COMMENT ON COLUMN feed.number IS 'From 1, without gaps; assigned under the lock of feed_ends.';
COMMENT ON COLUMN feed.message_id IS 'The message.';
COMMENT ON COLUMN feed.created_at IS 'Same as outbox.created_at.';
COMMENT ON COLUMN feed.earlier_xid IS 'Its place in the previous numbering, for cursors of that time.';
COMMENT ON COLUMN feed.earlier_ordinal IS 'Its ordinal in the previous numbering.';
-- Finds the position of a cursor from the previous numbering.
CREATE UNIQUE INDEX feed_earlier ON feed (org_id, earlier_xid, earlier_ordinal) WHERE earlier_xid IS NOT NULL;
-- Finds out whether a message has a number already.
CREATE UNIQUE INDEX feed_earlier_by_id ON feed (message_id) WHERE earlier_xid IS NOT NULL;

CREATE TABLE feed_ends (
    org_id uuid PRIMARY KEY,
    number bigint NOT NULL
);
COMMENT ON TABLE feed_ends IS 'The last number of each organisation''s feed.';
COMMENT ON COLUMN feed_ends.org_id IS 'The organisation.';
COMMENT ON COLUMN feed_ends.number IS 'The number of its last message.';

CREATE TABLE deliveries (
    org_id uuid NOT NULL,
    webhook_id text NOT NULL,
    message_id uuid NOT NULL,
    lane text NOT NULL GENERATED ALWAYS AS (CASE WHEN starts_with(webhook_id, 'push:') THEN 'push:' ELSE webhook_id END) STORED,
    number bigint NOT NULL,
    member_id uuid,
    judging smallint,
    state text NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    next_at timestamptz NOT NULL,
    tried_at timestamptz,
    status integer,
    error text,
    milliseconds integer,
    PRIMARY KEY (org_id, webhook_id, message_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE deliveries IS 'Deliveries of messages to webhooks: one row per message and webhook.';
COMMENT ON COLUMN deliveries.org_id IS 'The organisation.';
COMMENT ON COLUMN deliveries.webhook_id IS 'The webhook''s id.';
COMMENT ON COLUMN deliveries.message_id IS 'The message.';
COMMENT ON COLUMN deliveries.lane IS 'What it shares its concurrency with: its webhook, or all Web Push of its organisation.';
COMMENT ON COLUMN deliveries.judging IS 'How often evaluating the conditions was started; null when that is done or there are none.';
COMMENT ON COLUMN deliveries.number IS 'Same as feed.number.';
COMMENT ON COLUMN deliveries.member_id IS 'Same as outbox.member_id: for webhooks that keep the order of each member.';
COMMENT ON COLUMN deliveries.state IS 'waiting (for an attempt), delivered, or dead (given up).';
COMMENT ON COLUMN deliveries.attempts IS 'Number of attempts.';
COMMENT ON COLUMN deliveries.created_at IS 'When it was handed out.';
COMMENT ON COLUMN deliveries.next_at IS 'When the next attempt is due.';
COMMENT ON COLUMN deliveries.tried_at IS 'When the last attempt was made.';
COMMENT ON COLUMN deliveries.status IS 'Status of the last response.';
COMMENT ON COLUMN deliveries.error IS 'Why the last attempt failed.';
COMMENT ON COLUMN deliveries.milliseconds IS 'Duration of the last attempt.';
-- Due deliveries, by lane.
CREATE INDEX deliveries_due ON deliveries (org_id, lane, next_at, number) WHERE state = 'waiting' AND judging IS NULL;
-- Deliveries whose conditions are to be checked.
CREATE INDEX deliveries_to_judge ON deliveries (org_id, next_at, number) WHERE state = 'waiting' AND judging IS NOT NULL;
-- The log of a webhook, newest first.
CREATE INDEX deliveries_of ON deliveries (org_id, webhook_id, number);
-- Waiting deliveries of a member, to keep their order.
CREATE INDEX deliveries_waiting_of ON deliveries (org_id, webhook_id, member_id, number) WHERE state = 'waiting';

CREATE TABLE webhook_states (
    org_id uuid NOT NULL,
    webhook_id text NOT NULL,
    secret text NOT NULL,
    previous_secret text,
    previous_until timestamptz,
    failing_since timestamptz,
    disabled_at timestamptz,
    disabled_reason text,
    PRIMARY KEY (org_id, webhook_id)
);
COMMENT ON TABLE webhook_states IS 'Secrets and health of a webhook, besides its document.';
COMMENT ON COLUMN webhook_states.org_id IS 'The organisation.';
COMMENT ON COLUMN webhook_states.webhook_id IS 'The webhook''s id.';
COMMENT ON COLUMN webhook_states.secret IS 'Signs its messages.';
COMMENT ON COLUMN webhook_states.previous_secret IS 'Also signs them for a while after a rotation.';
COMMENT ON COLUMN webhook_states.previous_until IS 'When the previous secret stops signing.';
COMMENT ON COLUMN webhook_states.failing_since IS 'Start of the current series of failures; null if the last attempt succeeded.';
COMMENT ON COLUMN webhook_states.disabled_at IS 'When it was last disabled; null if never.';
COMMENT ON COLUMN webhook_states.disabled_reason IS 'Why it was disabled.';

-- ---------------------------------------------------------------------------------------------------- jobs

CREATE TABLE jobs (
    job_id uuid PRIMARY KEY,
    org_id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'finished', 'failed', 'cancelled')),
    lines bigint NOT NULL DEFAULT 0,
    accepted bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    begun_at timestamptz NOT NULL,
    begun_by text NOT NULL,
    moved_at timestamptz NOT NULL,
    result json
);
COMMENT ON TABLE jobs IS 'Long-running jobs and their progress.';
COMMENT ON COLUMN jobs.job_id IS 'The job''s id.';
COMMENT ON COLUMN jobs.org_id IS 'The organisation.';
COMMENT ON COLUMN jobs.kind IS 'import, update, …';
COMMENT ON COLUMN jobs.state IS 'running, finished, failed or cancelled.';
COMMENT ON COLUMN jobs.lines IS 'Lines processed so far; a resumed job continues here.';
COMMENT ON COLUMN jobs.accepted IS 'Lines accepted.';
COMMENT ON COLUMN jobs.refused IS 'Lines rejected.';
COMMENT ON COLUMN jobs.begun_at IS 'When it started.';
COMMENT ON COLUMN jobs.begun_by IS 'Who started it.';
COMMENT ON COLUMN jobs.moved_at IS 'When it last made progress.';
COMMENT ON COLUMN jobs.result IS 'The result.';
-- The jobs of an organisation, newest first.
CREATE INDEX jobs_of_org ON jobs (org_id, begun_at, job_id);

CREATE TABLE importing_members (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    PRIMARY KEY (bucket, member_id, job_id)
);
COMMENT ON TABLE importing_members IS 'Members whose history is being imported. Until the job ends, or has made no progress for an hour, no timer of theirs runs.';
COMMENT ON COLUMN importing_members.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN importing_members.member_id IS 'The member.';
COMMENT ON COLUMN importing_members.job_id IS 'The import job.';
-- Finds the members of an import, whose timers continue when it ends.
CREATE INDEX importing_members_of ON importing_members (job_id);

CREATE TABLE job_errors (
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    line bigint NOT NULL,
    message text NOT NULL,
    fields json NOT NULL,
    PRIMARY KEY (job_id, line)
);
COMMENT ON TABLE job_errors IS 'Rejected lines of jobs, with the reason.';
COMMENT ON COLUMN job_errors.job_id IS 'The job.';
COMMENT ON COLUMN job_errors.line IS 'The line number, from 1.';
COMMENT ON COLUMN job_errors.message IS 'Why it was rejected.';
COMMENT ON COLUMN job_errors.fields IS 'The fields with errors.';

CREATE TABLE suspects (
    suspect_id uuid PRIMARY KEY,
    kind text NOT NULL,
    org_id uuid,
    member_id uuid,
    tries smallint NOT NULL,
    reason text NOT NULL,
    noted_at timestamptz NOT NULL
);
COMMENT ON TABLE suspects IS 'What a process was working on when it crashed or hung. It is retried alone, a limited number of times.';
COMMENT ON COLUMN suspects.suspect_id IS 'The event, or an id derived from what else it was.';
COMMENT ON COLUMN suspects.kind IS 'event, tick (a member''s timers), programme, document or message.';
COMMENT ON COLUMN suspects.org_id IS 'The organisation, if known.';
COMMENT ON COLUMN suspects.member_id IS 'The member, for a tick.';
COMMENT ON COLUMN suspects.tries IS 'How often a process crashed or hung on it. From 2 on it is not tried again.';
COMMENT ON COLUMN suspects.reason IS 'Why the process ended.';
COMMENT ON COLUMN suspects.noted_at IS 'When it was last recorded.';
