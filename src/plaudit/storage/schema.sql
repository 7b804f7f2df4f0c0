-- The whole schema as it is now, read from top to bottom. The migrations lead to it; a test proves that they do.
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
COMMENT ON TABLE orgs IS 'The tenants. Everything else belongs to one of them.';
COMMENT ON COLUMN orgs.org_id IS 'What clients send as X-Monterosa-Org-ID.';
COMMENT ON COLUMN orgs.name IS 'For people.';
COMMENT ON COLUMN orgs.jwt_secret IS 'Signs members'' tokens (HS256).';
COMMENT ON COLUMN orgs.program_version IS 'Counts the changes of documents; locked by whoever makes one, so that changes are in one order.';
COMMENT ON COLUMN orgs.created_at IS 'When it was created.';
COMMENT ON COLUMN orgs.is_test IS 'Whether its clock may be moved.';
COMMENT ON COLUMN orgs.clock_offset IS 'How far its clock is ahead of the wall''s.';
COMMENT ON COLUMN orgs.slug IS 'The first label of its host name, where a server has one for each organisation.';

CREATE TABLE api_keys (
    key_id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES orgs,
    name text NOT NULL,
    secret_hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz
);
COMMENT ON TABLE api_keys IS 'Credentials of servers. The secret itself is shown once and kept nowhere.';
COMMENT ON COLUMN api_keys.key_id IS 'Names the key; it is not secret.';
COMMENT ON COLUMN api_keys.org_id IS 'The only organisation that it opens.';
COMMENT ON COLUMN api_keys.name IS 'For people.';
COMMENT ON COLUMN api_keys.secret_hash IS 'SHA-256 of the secret, which has 256 bits of chance of its own.';
COMMENT ON COLUMN api_keys.scopes IS 'What it may do: actions:write, admin:read, admin:write, members:read, members:write.';
COMMENT ON COLUMN api_keys.created_at IS 'When it was made.';
COMMENT ON COLUMN api_keys.expires_at IS 'From when on it opens nothing; null for never.';

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

CREATE TABLE clock_moves (
    org_id uuid NOT NULL REFERENCES orgs,
    moved_at timestamptz NOT NULL,
    offset_before interval NOT NULL,
    offset_after interval NOT NULL,
    PRIMARY KEY (org_id, moved_at)
);
COMMENT ON TABLE clock_moves IS 'When clocks of test organisations were moved: what was written down by the wall clock is shown by theirs.';
COMMENT ON COLUMN clock_moves.org_id IS 'Whose clock.';
COMMENT ON COLUMN clock_moves.moved_at IS 'When, by the wall clock.';
COMMENT ON COLUMN clock_moves.offset_before IS 'How far it was ahead until then.';
COMMENT ON COLUMN clock_moves.offset_after IS 'How far it has been ahead since.';

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
COMMENT ON TABLE documents IS 'Configuration as it is now: campaigns, rules, metrics, products … each kind a type in documents/.';
COMMENT ON COLUMN documents.org_id IS 'Whose.';
COMMENT ON COLUMN documents.kind IS 'Which of documents/kinds.py.';
COMMENT ON COLUMN documents.id IS 'Unique in its kind: drawn by the server (camp_…) or named by the client.';
COMMENT ON COLUMN documents.ordinal IS 'The order of creation: of lists, and among campaigns of one priority.';
COMMENT ON COLUMN documents.version IS 'Counts its own changes, from 1.';
COMMENT ON COLUMN documents.doc IS 'The document in its canonical spelling.';
COMMENT ON COLUMN documents.created_at IS 'When it was written first.';
COMMENT ON COLUMN documents.created_by IS 'By whom.';
COMMENT ON COLUMN documents.updated_at IS 'When it was written last.';
-- Lists are read in the order of creation.
CREATE UNIQUE INDEX documents_in_order ON documents (org_id, kind, ordinal);
-- A stock keeping unit names one product.
CREATE UNIQUE INDEX documents_sku ON documents (org_id, (doc ->> 'sku')) WHERE kind = 'product';
-- The key of a custom field is its own.
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
COMMENT ON TABLE document_versions IS 'Every version of every document, for ever: the audit log, and what an old event was judged by.';
COMMENT ON COLUMN document_versions.org_id IS 'Whose.';
COMMENT ON COLUMN document_versions.kind IS 'As in documents.';
COMMENT ON COLUMN document_versions.id IS 'As in documents.';
COMMENT ON COLUMN document_versions.version IS 'The document''s own count; starts again when an id is used anew after a deletion.';
COMMENT ON COLUMN document_versions.ordinal IS 'The document''s place in the order of creation.';
COMMENT ON COLUMN document_versions.program_version IS 'The version of the programme that this change made.';
COMMENT ON COLUMN document_versions.change IS 'created, updated or deleted.';
COMMENT ON COLUMN document_versions.doc IS 'The document after the change; null after a deletion.';
COMMENT ON COLUMN document_versions.changed_at IS 'When.';
COMMENT ON COLUMN document_versions.changed_by IS 'By whom.';

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
COMMENT ON TABLE document_references IS 'Which document names which: a delete that would leave a name without its document is refused.';
COMMENT ON COLUMN document_references.org_id IS 'Whose.';
COMMENT ON COLUMN document_references.kind IS 'The kind of the document that refers.';
COMMENT ON COLUMN document_references.id IS 'The document that refers.';
COMMENT ON COLUMN document_references.field IS 'The field that it does so in.';
COMMENT ON COLUMN document_references.to_kind IS 'The kind of the document referred to.';
COMMENT ON COLUMN document_references.to_id IS 'The document referred to.';
COMMENT ON COLUMN document_references.required IS 'Whether it must be there.';
-- Who refers to this? is asked before each delete.
CREATE INDEX document_references_to ON document_references (org_id, to_kind, to_id);

-- ---------------------------------------------------------------------------------------------------- members

CREATE TABLE members (
    bucket smallint NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    member_id uuid NOT NULL,
    org_id uuid NOT NULL,
    user_id text NOT NULL,
    attributes json NOT NULL,
    enrolled_at timestamptz NOT NULL,
    present timestamptz NOT NULL,
    sequence bigint NOT NULL,
    due_at timestamptz,
    erased_at timestamptz,
    merged_into text,
    active_at timestamptz,
    PRIMARY KEY (bucket, member_id)
);
COMMENT ON TABLE members IS 'People in an organisation''s programme. Its rows are changed under the lock of their bucket only.';
COMMENT ON COLUMN members.bucket IS 'The last byte of member_id.';
COMMENT ON COLUMN members.member_id IS 'Derived from organisation and user_id (core/ids.py).';
COMMENT ON COLUMN members.org_id IS 'Whose member.';
COMMENT ON COLUMN members.user_id IS 'The client''s own identifier.';
COMMENT ON COLUMN members.attributes IS 'The profile''s fields.';
COMMENT ON COLUMN members.enrolled_at IS 'When the member joined, by the time of the event that enrolled them.';
COMMENT ON COLUMN members.present IS 'The time of the latest event of any kind, also a timer: how far the member has come.';
COMMENT ON COLUMN members.sequence IS 'How many events were decided for the member: the ids of timers follow from it.';
COMMENT ON COLUMN members.due_at IS 'When something falls due for the member without an event: an expiry, a lapse, the end of a window.';
COMMENT ON COLUMN members.erased_at IS 'When the person was erased; null for a person.';
COMMENT ON COLUMN members.merged_into IS 'The user_id of the member whom this one goes on as, and who has everything now; null for nobody.';
COMMENT ON COLUMN members.active_at IS 'The time of the latest event that the member caused; null for who has done nothing yet.';
-- Who is due? is asked by every worker, many times a minute.
CREATE INDEX members_due ON members (bucket, due_at) WHERE due_at IS NOT NULL;
-- Who goes on as a member? is asked when the member is erased or exported.
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
COMMENT ON TABLE identities IS 'Other names of members, each of one member only.';
COMMENT ON COLUMN identities.org_id IS 'Whose member.';
COMMENT ON COLUMN identities.kind IS 'email (in lower case), phone (digits with a leading plus), or another field that the profile schema marks as unique.';
COMMENT ON COLUMN identities.value IS 'The name itself.';
COMMENT ON COLUMN identities.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN identities.member_id IS 'The member.';
COMMENT ON COLUMN identities.user_id IS 'The member''s user_id, so that an action can be addressed without another look.';
-- A member has one name of each kind.
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
COMMENT ON TABLE balances IS 'What a member has of a metric: the sum of the member''s transactions of it.';
COMMENT ON COLUMN balances.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN balances.member_id IS 'Whose.';
COMMENT ON COLUMN balances.metric IS 'The metric''s id.';
COMMENT ON COLUMN balances.amount IS 'What there is now.';
COMMENT ON COLUMN balances.earned IS 'Earned ever: credits, without what others sent or what was reversed of them.';
COMMENT ON COLUMN balances.book IS 'Lots, holds, sums for caps (core/lots.py); null where all is one lot that never expires.';

CREATE TABLE progress (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('campaign', 'streak', 'ladder', 'segment', 'standing')),
    key text NOT NULL,
    state json NOT NULL,
    PRIMARY KEY (bucket, member_id, kind, key)
);
COMMENT ON TABLE progress IS 'How far a member is in a campaign, a streak, a ladder …: one small document each.';
COMMENT ON COLUMN progress.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN progress.member_id IS 'Whose.';
COMMENT ON COLUMN progress.kind IS 'In what kind of thing.';
COMMENT ON COLUMN progress.key IS 'In which of that kind.';
COMMENT ON COLUMN progress.state IS 'How far (core/member.py says what it holds).';
-- Who takes part? is asked of a campaign, a streak, a ladder.
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
COMMENT ON TABLE segment_members IS 'Who is in which segment. It follows from progress of kind segment, and is there to be listed.';
COMMENT ON COLUMN segment_members.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN segment_members.member_id IS 'Who.';
COMMENT ON COLUMN segment_members.org_id IS 'Whose member.';
COMMENT ON COLUMN segment_members.segment_id IS 'In which segment.';
COMMENT ON COLUMN segment_members.user_id IS 'The client''s identifier of the member.';
COMMENT ON COLUMN segment_members.since IS 'Since when.';
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
COMMENT ON TABLE segment_fills IS 'How far a new or changed segment has been filled with the members that there are.';
COMMENT ON COLUMN segment_fills.org_id IS 'Whose.';
COMMENT ON COLUMN segment_fills.segment_id IS 'Which segment.';
COMMENT ON COLUMN segment_fills.version IS 'The version of the segment that it is filled for.';
COMMENT ON COLUMN segment_fills.bucket IS 'The next bucket of members to look at.';
COMMENT ON COLUMN segment_fills.looked_at IS 'How many members have been looked at.';
COMMENT ON COLUMN segment_fills.changed IS 'For how many of them something changes.';
COMMENT ON COLUMN segment_fills.finished_at IS 'When all had been looked at.';

CREATE TABLE holdings (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    product_id text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (bucket, member_id, product_id)
);
COMMENT ON TABLE holdings IS 'The products that a member has.';
COMMENT ON COLUMN holdings.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN holdings.member_id IS 'Whose.';
COMMENT ON COLUMN holdings.product_id IS 'Which product.';
COMMENT ON COLUMN holdings.quantity IS 'How many.';
COMMENT ON COLUMN holdings.first_at IS 'Since when there was one.';
COMMENT ON COLUMN holdings.last_at IS 'When the last one came.';

CREATE TABLE entries (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    competition_id text NOT NULL,
    entries bigint NOT NULL CHECK (entries > 0),
    PRIMARY KEY (bucket, member_id, competition_id)
);
COMMENT ON TABLE entries IS 'Tickets in competitions.';
COMMENT ON COLUMN entries.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN entries.member_id IS 'Whose.';
COMMENT ON COLUMN entries.competition_id IS 'In which competition.';
COMMENT ON COLUMN entries.entries IS 'How many.';

-- The entries in a competition, to be drawn from.
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
    last_round text NOT NULL,
    last_score bigint NOT NULL,
    last_reached_at timestamptz,
    position bigint NOT NULL,
    PRIMARY KEY (bucket, member_id, competition_id)
);
COMMENT ON TABLE standings IS 'Members'' scores in competitions.';
COMMENT ON COLUMN standings.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN standings.member_id IS 'Whose.';
COMMENT ON COLUMN standings.org_id IS 'Whose member.';
COMMENT ON COLUMN standings.competition_id IS 'In which competition.';
COMMENT ON COLUMN standings.user_id IS 'The client''s identifier of the member.';
COMMENT ON COLUMN standings.score IS 'The score: of the metric''s decimals, or in millionths for a score by events.';
COMMENT ON COLUMN standings.reached_at IS 'When it was reached: of equals, the first is ahead.';
COMMENT ON COLUMN standings.scope IS 'The part of the board; in a league, the division.';
COMMENT ON COLUMN standings.round IS 'The round of a league that the score is of; empty without one.';
COMMENT ON COLUMN standings.last_round IS 'The round before it that the member scored in.';
COMMENT ON COLUMN standings.last_score IS 'The score of that.';
COMMENT ON COLUMN standings.last_reached_at IS 'When that was reached.';
COMMENT ON COLUMN standings.position IS 'The position in the bucket''s log of the event that changed it: boards in memory follow by it.';
-- What has changed on a board since? is asked by every process that shows it.
CREATE INDEX standings_of ON standings (org_id, competition_id, bucket, position);

CREATE TABLE contests (
    org_id uuid NOT NULL,
    competition_id text NOT NULL,
    seed bytea NOT NULL,
    opened_at timestamptz NOT NULL,
    settled_at timestamptz,
    result json,
    PRIMARY KEY (org_id, competition_id)
);
COMMENT ON TABLE contests IS 'What is secret of a competition, and its result.';
COMMENT ON COLUMN contests.org_id IS 'Whose.';
COMMENT ON COLUMN contests.competition_id IS 'Which competition.';
COMMENT ON COLUMN contests.seed IS 'The seed of its draw, drawn when it opened; its hash is shown from then on, itself with the result.';
COMMENT ON COLUMN contests.opened_at IS 'When the seed was drawn.';
COMMENT ON COLUMN contests.settled_at IS 'When it was drawn, or its prizes were given.';
COMMENT ON COLUMN contests.result IS 'The winners, in order.';

CREATE TABLE league_rounds (
    org_id uuid NOT NULL,
    competition_id text NOT NULL,
    round text NOT NULL,
    settled_at timestamptz NOT NULL,
    result json NOT NULL,
    PRIMARY KEY (org_id, competition_id, round)
);
COMMENT ON TABLE league_rounds IS 'The rounds of leagues that are over, and who moved or won.';
COMMENT ON COLUMN league_rounds.org_id IS 'Whose.';
COMMENT ON COLUMN league_rounds.competition_id IS 'Which competition.';
COMMENT ON COLUMN league_rounds.round IS 'Which round: the name of a day, week or month.';
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
    campaign_id text NOT NULL,
    event_id uuid NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (bucket, member_id, coupon_id)
);
COMMENT ON TABLE coupons IS 'Codes in members'' hands. The state of a unique one is its code''s.';
COMMENT ON COLUMN coupons.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN coupons.member_id IS 'Whose.';
COMMENT ON COLUMN coupons.coupon_id IS 'Derived from the effect that issued it.';
COMMENT ON COLUMN coupons.org_id IS 'Whose member.';
COMMENT ON COLUMN coupons.origin_id IS 'The reward, product or pool that it came from.';
COMMENT ON COLUMN coupons.pool_id IS 'The pool of a unique code; null for one that is the same for everybody.';
COMMENT ON COLUMN coupons.code IS 'What the member shows at the till.';
COMMENT ON COLUMN coupons.terms IS 'What it is worth, as its reward says.';
COMMENT ON COLUMN coupons.campaign_id IS 'The campaign that issued it, or manual_grant.';
COMMENT ON COLUMN coupons.event_id IS 'The event that it followed from.';
COMMENT ON COLUMN coupons.issued_at IS 'When, by the time of the event.';
COMMENT ON COLUMN coupons.expires_at IS 'From when on it is worth nothing; null for never.';
COMMENT ON COLUMN coupons.revoked_at IS 'When it was withdrawn, by the time of the event; null for one that is valid.';

CREATE TABLE notifications (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    notification_id uuid NOT NULL,
    campaign_id text NOT NULL,
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
    PRIMARY KEY (bucket, member_id, notification_id)
);
COMMENT ON TABLE notifications IS 'What members are to see.';
COMMENT ON COLUMN notifications.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN notifications.member_id IS 'Whose.';
COMMENT ON COLUMN notifications.notification_id IS 'Derived from the effect that made it.';
COMMENT ON COLUMN notifications.campaign_id IS 'The campaign that it came from.';
COMMENT ON COLUMN notifications.display IS 'How the app is to show it: none, toast, banner or modal.';
COMMENT ON COLUMN notifications.title IS 'A heading, if there is one.';
COMMENT ON COLUMN notifications.message IS 'The text.';
COMMENT ON COLUMN notifications.created_at IS 'When, by the time of the event.';
COMMENT ON COLUMN notifications.sequence IS 'The order in which a member got them: drawn under the bucket''s lock.';
COMMENT ON COLUMN notifications.type IS 'message, step.completed or campaign.completed.';
COMMENT ON COLUMN notifications.step IS 'The step that was done, of a step.completed.';
COMMENT ON COLUMN notifications.changes IS 'What came with it (core/changes.py).';
COMMENT ON COLUMN notifications.expires_at IS 'From when on it is not to be shown; null for never.';
COMMENT ON COLUMN notifications.read_at IS 'When the member has read it; null while unread.';
-- The notifications of a member, in their order.
CREATE INDEX notifications_in_order ON notifications (bucket, member_id, sequence);

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

CREATE TABLE watches (
    bucket smallint PRIMARY KEY,
    until timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE watches IS 'Buckets of which somebody holds a live stream: a commit says there what has changed.';
COMMENT ON COLUMN watches.bucket IS 'The bucket.';
COMMENT ON COLUMN watches.until IS 'Until when, unless it is watched on.';

-- -------------------------------------------------------------------------------------- the way of an event

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
    -- It is filled and emptied all the time: its dead rows must go before scans meet many of them.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_insert_scale_factor = 1, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000
);
COMMENT ON TABLE inbox IS 'What has arrived and is not decided yet. Deciding moves it to events, in one transaction.';
COMMENT ON COLUMN inbox.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN inbox.inbox_id IS 'The order of arrival. Rows become visible in the order of their commits, so nobody remembers a last id: what is decided is gone.';
COMMENT ON COLUMN inbox.event_id IS 'Drawn, or derived from event_key.';
COMMENT ON COLUMN inbox.event_key IS 'The sender''s own name of the event: the same name is the same event.';
COMMENT ON COLUMN inbox.org_id IS 'Whose member.';
COMMENT ON COLUMN inbox.member_id IS 'The member, who need not exist yet.';
COMMENT ON COLUMN inbox.user_id IS 'The client''s identifier of the member.';
COMMENT ON COLUMN inbox.kind IS 'action, grant or profile (core/event.py).';
COMMENT ON COLUMN inbox.trigger IS 'What campaigns listen to.';
COMMENT ON COLUMN inbox.occurred_at IS 'When it happened, by its sender.';
COMMENT ON COLUMN inbox.received_at IS 'When the server took it in.';
COMMENT ON COLUMN inbox.source IS 'Which door it came through.';
COMMENT ON COLUMN inbox.fingerprint IS 'A hash of the content of a keyed event: the same key with another content is a mistake.';
COMMENT ON COLUMN inbox.payload IS 'data and metadata, as sent.';
-- A keyed event that is sent again while the first waits is the same event.
CREATE UNIQUE INDEX inbox_keyed ON inbox (event_id) WHERE event_key IS NOT NULL;

CREATE TABLE positions (
    bucket smallint PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0,
    moved_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 20);
COMMENT ON TABLE positions IS 'How long each bucket''s log is. The row''s lock is the bucket''s lock: whoever decides for a member holds it until the commit.';
COMMENT ON COLUMN positions.bucket IS 'The bucket.';
COMMENT ON COLUMN positions.position IS 'The position of the last event in its log.';
COMMENT ON COLUMN positions.moved_at IS 'When that was written: while history is being imported, what is long overdue waits for it.';
INSERT INTO positions (bucket) SELECT generate_series(0, 255);

CREATE TABLE event_ids (
    event_id uuid PRIMARY KEY,
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    position bigint NOT NULL,
    decided_at timestamptz NOT NULL,
    fingerprint bigint
);
COMMENT ON TABLE event_ids IS 'The ids of all events ever decided: what makes each count once, also after its month of the log has been archived.';
COMMENT ON COLUMN event_ids.event_id IS 'Unique among all events.';
COMMENT ON COLUMN event_ids.bucket IS 'Where it is in the log.';
COMMENT ON COLUMN event_ids.member_id IS 'Whose event.';
COMMENT ON COLUMN event_ids.position IS 'Where it is in the log of its bucket.';
COMMENT ON COLUMN event_ids.decided_at IS 'Which month of the log it is in.';
COMMENT ON COLUMN event_ids.fingerprint IS 'As in inbox.';

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
COMMENT ON TABLE events IS 'The log: everything that changed a member, in the order of its bucket. Append-only; by month, so that old ones can be archived.';
COMMENT ON COLUMN events.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN events.position IS 'The place in the bucket''s log, without gaps, given out under the bucket''s lock.';
COMMENT ON COLUMN events.event_id IS 'As in event_ids.';
COMMENT ON COLUMN events.event_key IS 'The sender''s own name of it.';
COMMENT ON COLUMN events.org_id IS 'Whose member.';
COMMENT ON COLUMN events.member_id IS 'Whose event.';
COMMENT ON COLUMN events.user_id IS 'The client''s identifier of the member.';
COMMENT ON COLUMN events.kind IS 'action, grant or profile.';
COMMENT ON COLUMN events.trigger IS 'What campaigns listened to.';
COMMENT ON COLUMN events.occurred_at IS 'When it happened, by its sender.';
COMMENT ON COLUMN events.received_at IS 'When the server took it in.';
COMMENT ON COLUMN events.decided_at IS 'When it was decided.';
COMMENT ON COLUMN events.source IS 'Which door it came through.';
COMMENT ON COLUMN events.state IS 'processed; or rejected, and outcome says why.';
COMMENT ON COLUMN events.program_version IS 'The one version of the programme that judged it.';
COMMENT ON COLUMN events.payload IS 'data and metadata, as sent.';
COMMENT ON COLUMN events.outcome IS 'The trace, and which claims were had or refused (engine/outcome.py).';
-- The events of an organisation, newest first.
CREATE INDEX events_of_org ON events (org_id, decided_at, bucket, position);
CREATE TABLE events_rest PARTITION OF events DEFAULT;
COMMENT ON TABLE events_rest IS 'What falls into no month: empty as long as the months are made in time.';

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
COMMENT ON TABLE failed_events IS 'Events that made our code raise: set aside with their error, so that they block nobody. A retry puts one back into the inbox.';
COMMENT ON COLUMN failed_events.event_id IS 'As in inbox.';
COMMENT ON COLUMN failed_events.bucket IS 'As in inbox.';
COMMENT ON COLUMN failed_events.event_key IS 'As in inbox.';
COMMENT ON COLUMN failed_events.org_id IS 'As in inbox.';
COMMENT ON COLUMN failed_events.member_id IS 'As in inbox.';
COMMENT ON COLUMN failed_events.user_id IS 'As in inbox.';
COMMENT ON COLUMN failed_events.kind IS 'As in inbox.';
COMMENT ON COLUMN failed_events.trigger IS 'As in inbox.';
COMMENT ON COLUMN failed_events.occurred_at IS 'As in inbox.';
COMMENT ON COLUMN failed_events.received_at IS 'As in inbox.';
COMMENT ON COLUMN failed_events.source IS 'As in inbox.';
COMMENT ON COLUMN failed_events.fingerprint IS 'As in inbox.';
COMMENT ON COLUMN failed_events.payload IS 'As in inbox.';
COMMENT ON COLUMN failed_events.error IS 'The traceback.';
COMMENT ON COLUMN failed_events.failed_at IS 'When it failed last.';
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
    campaign_id text NOT NULL,
    step smallint NOT NULL,
    index smallint NOT NULL,
    event_id uuid NOT NULL,
    reason text,
    occurred_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    reverses uuid,
    details json,
    PRIMARY KEY (bucket, member_id, position, ordinal, created_at),
    CHECK (amount <> 0 OR details IS NOT NULL OR reverses IS NOT NULL)
) PARTITION BY RANGE (created_at);
COMMENT ON TABLE transactions IS 'The ledger: each change of a balance, once and for ever. Append-only; corrected by adding.';
COMMENT ON COLUMN transactions.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN transactions.member_id IS 'Whose.';
COMMENT ON COLUMN transactions.position IS 'The position of its event in the bucket''s log.';
COMMENT ON COLUMN transactions.ordinal IS 'Its place among the transactions of its event.';
COMMENT ON COLUMN transactions.transaction_id IS 'Derived from (event, campaign, step, index).';
COMMENT ON COLUMN transactions.org_id IS 'Whose member.';
COMMENT ON COLUMN transactions.user_id IS 'The client''s identifier of the member.';
COMMENT ON COLUMN transactions.metric IS 'Of which metric.';
COMMENT ON COLUMN transactions.amount IS 'Credit, or debit when negative.';
COMMENT ON COLUMN transactions.balance_after IS 'The balance that it led to.';
COMMENT ON COLUMN transactions.campaign_id IS 'The campaign that it came from, manual_grant, or opening.';
COMMENT ON COLUMN transactions.step IS 'The step of the campaign.';
COMMENT ON COLUMN transactions.index IS 'The effect of the step.';
COMMENT ON COLUMN transactions.event_id IS 'The event that it followed from.';
COMMENT ON COLUMN transactions.reason IS 'For people.';
COMMENT ON COLUMN transactions.occurred_at IS 'When, by the time of the event.';
COMMENT ON COLUMN transactions.created_at IS 'When it was written.';
COMMENT ON COLUMN transactions.reverses IS 'The transaction that it takes back.';
COMMENT ON COLUMN transactions.details IS 'Its postings on lots; or why it is of 0, and when the next one is possible.';
-- One transaction by its id. (That no effect is paid twice follows from event_ids: an index by month could not see it.)
CREATE UNIQUE INDEX transactions_by_id ON transactions (bucket, transaction_id, created_at);
-- The transactions of an organisation, newest first.
CREATE INDEX transactions_of_org ON transactions (org_id, created_at, bucket, position, ordinal);
CREATE TABLE transactions_rest PARTITION OF transactions DEFAULT;
COMMENT ON TABLE transactions_rest IS 'What falls into no month: empty as long as the months are made in time.';

-- --------------------------------------------------------------------------------- what is scarce across members

CREATE TABLE claimed (
    org_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('cap', 'stock')),
    key text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity >= 0),
    PRIMARY KEY (org_id, kind, key)
) WITH (fillfactor = 20);
COMMENT ON TABLE claimed IS 'How much has been taken of what there is only so much of: campaigns'' limits overall, products'' stock. How much there is stands in the documents.';
COMMENT ON COLUMN claimed.org_id IS 'Whose.';
COMMENT ON COLUMN claimed.kind IS 'cap or stock.';
COMMENT ON COLUMN claimed.key IS 'The campaign or the product.';
COMMENT ON COLUMN claimed.quantity IS 'How much has been taken.';

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
COMMENT ON COLUMN codes.org_id IS 'Whose.';
COMMENT ON COLUMN codes.pool_id IS 'Of which pool.';
COMMENT ON COLUMN codes.code IS 'The secret itself.';
COMMENT ON COLUMN codes.ordinal IS 'The order in which codes are given out.';
COMMENT ON COLUMN codes.state IS 'available -> allocated (in a member''s hands) -> redeemed (used) or revoked (withdrawn); or available -> expired.';
COMMENT ON COLUMN codes.bucket IS 'The bucket of the member who has it, or had it until it was revoked.';
COMMENT ON COLUMN codes.member_id IS 'That member.';
COMMENT ON COLUMN codes.coupon_id IS 'The coupon that it became.';
COMMENT ON COLUMN codes.allocated_at IS 'When it was given out.';
COMMENT ON COLUMN codes.redeemed_at IS 'When it was used.';
-- The next available code of a pool.
CREATE INDEX codes_available ON codes (org_id, pool_id, ordinal) WHERE state = 'available';
-- A code as somebody has typed it, in whichever case.
CREATE INDEX codes_but_for_case ON codes (org_id, pool_id, lower(code), ordinal);

-- ------------------------------------------------------------------------------------------------------ workers

CREATE TABLE leases (
    bucket smallint PRIMARY KEY,
    worker_id uuid,
    until timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 20);
COMMENT ON TABLE leases IS 'Which worker sees to which bucket, and until when unless it renews (engine/buckets.py).';
COMMENT ON COLUMN leases.bucket IS 'The bucket.';
COMMENT ON COLUMN leases.worker_id IS 'The worker; null when nobody does.';
COMMENT ON COLUMN leases.until IS 'When the hold ends by itself.';
INSERT INTO leases (bucket) SELECT generate_series(0, 255);

CREATE TABLE workers (
    worker_id uuid PRIMARY KEY,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL
);
COMMENT ON TABLE workers IS 'The workers that are alive: how many share the buckets.';
COMMENT ON COLUMN workers.worker_id IS 'Drawn at its start.';
COMMENT ON COLUMN workers.started_at IS 'When it started.';
COMMENT ON COLUMN workers.seen_at IS 'When it was last heard of.';

-- ------------------------------------------------------------------------------------------------- the API's own

CREATE TABLE rate_windows (
    key text PRIMARY KEY,
    ends_at timestamptz NOT NULL,
    used bigint NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE rate_windows IS 'How many requests processes have taken of a rate limit''s present window.';
COMMENT ON COLUMN rate_windows.key IS 'The limit, and whose.';
COMMENT ON COLUMN rate_windows.ends_at IS 'When the window ends.';
COMMENT ON COLUMN rate_windows.used IS 'How many have been taken; more than the limit when some were refused.';

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
COMMENT ON TABLE idempotency_keys IS 'Responses to requests with an Idempotency-Key, kept for a day; none that holds a secret.';
COMMENT ON COLUMN idempotency_keys.org_id IS 'Whose.';
COMMENT ON COLUMN idempotency_keys.key IS 'The client''s key.';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'Of the call and its body.';
COMMENT ON COLUMN idempotency_keys.begun_at IS 'When the request came.';
COMMENT ON COLUMN idempotency_keys.status IS 'The answer''s status; null while it is being answered.';
COMMENT ON COLUMN idempotency_keys.content IS 'The response''s body; null if it holds a secret.';
COMMENT ON COLUMN idempotency_keys.caller IS 'The only caller who gets the response again: the member, or the key and its scopes.';
COMMENT ON COLUMN idempotency_keys.made IS 'The id of what was made, where the response is not stored.';
-- Keys of yesterday are cleared away.
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
COMMENT ON TABLE consents IS 'What members have consented to, and taken back: every time, for ever. Gone with the person.';
COMMENT ON COLUMN consents.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN consents.member_id IS 'Whose.';
COMMENT ON COLUMN consents.ordinal IS 'In the order that they came.';
COMMENT ON COLUMN consents.purpose IS 'To what.';
COMMENT ON COLUMN consents.granted IS 'Given, or taken back.';
COMMENT ON COLUMN consents.source IS 'Where it was said: a form, a call, a shop.';
COMMENT ON COLUMN consents.given_at IS 'When it was said.';
COMMENT ON COLUMN consents.recorded_at IS 'When it was written.';
COMMENT ON COLUMN consents.recorded_by IS 'By whom.';

-- ---------------------------------------------------------------------------------------------- analytics

CREATE TABLE daily_totals (
    org_id uuid NOT NULL,
    day date NOT NULL,
    metric text NOT NULL,
    campaign_id text NOT NULL,
    stripe smallint NOT NULL,
    credits numeric NOT NULL,
    debits numeric NOT NULL,
    credit_count bigint NOT NULL,
    debit_count bigint NOT NULL,
    PRIMARY KEY (org_id, day, metric, campaign_id, stripe)
) WITH (fillfactor = 50);
COMMENT ON TABLE daily_totals IS 'What was booked on a day, by metric and campaign: kept up by every commit, so that analytics never scan the ledger.';
COMMENT ON COLUMN daily_totals.org_id IS 'Whose.';
COMMENT ON COLUMN daily_totals.day IS 'The day of the transactions, in the organisation''s time zone.';
COMMENT ON COLUMN daily_totals.metric IS 'Of which metric.';
COMMENT ON COLUMN daily_totals.campaign_id IS 'From which campaign.';
COMMENT ON COLUMN daily_totals.stripe IS 'Who writes: two lanes never wait for one row. What counts is the sum over all.';
COMMENT ON COLUMN daily_totals.credits IS 'The sum of what was credited.';
COMMENT ON COLUMN daily_totals.debits IS 'The sum of what was debited, as a positive number.';
COMMENT ON COLUMN daily_totals.credit_count IS 'How many credits.';
COMMENT ON COLUMN daily_totals.debit_count IS 'How many debits.';

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
COMMENT ON TABLE outbox IS 'Messages to other systems, written by the commit that they tell of.';
COMMENT ON COLUMN outbox.bucket IS 'The bucket of the member that it is about; from 256 on that of an organisation, for what is about no member.';
COMMENT ON COLUMN outbox.position IS 'That of its event in the bucket''s log, or the organisations'' bucket''s own; 0 for what is older than this numbering. It is given under a lock that is held to the commit: none appears before one that can be seen.';
COMMENT ON COLUMN outbox.ordinal IS 'The order within it.';
COMMENT ON COLUMN outbox.message_id IS 'Its name outside: webhook-id.';
COMMENT ON COLUMN outbox.org_id IS 'Whose.';
COMMENT ON COLUMN outbox.member_id IS 'The member that it is about, if it is about one.';
COMMENT ON COLUMN outbox.type IS 'What happened: transaction.created …';
COMMENT ON COLUMN outbox.only_to IS 'The one webhook that it is for; null for all that want its type.';
COMMENT ON COLUMN outbox.payload IS 'What it says.';
COMMENT ON COLUMN outbox.created_at IS 'When it was written.';
-- One message.
CREATE UNIQUE INDEX outbox_by_id ON outbox (message_id);

CREATE TABLE outbox_ends (
    bucket smallint PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE outbox_ends IS 'The last position of each bucket of organisations in the outbox. The row''s lock is held to the commit by whoever writes there.';
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
COMMENT ON COLUMN outbox_handed.ordinal IS 'And its order.';
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
COMMENT ON COLUMN feed.org_id IS 'Whose.';
COMMENT ON COLUMN feed.number IS 'From 1, without gaps; given under the lock of feed_ends.';
COMMENT ON COLUMN feed.message_id IS 'Which message.';
COMMENT ON COLUMN feed.created_at IS 'As in outbox.';
COMMENT ON COLUMN feed.earlier_xid IS 'Its place by the numbering before this one, for cursors that were given then.';
COMMENT ON COLUMN feed.earlier_ordinal IS 'The same.';
-- Where a cursor of the numbering before leads.
CREATE UNIQUE INDEX feed_earlier ON feed (org_id, earlier_xid, earlier_ordinal) WHERE earlier_xid IS NOT NULL;
-- Whether a message has a number already.
CREATE UNIQUE INDEX feed_earlier_by_id ON feed (message_id) WHERE earlier_xid IS NOT NULL;

CREATE TABLE feed_ends (
    org_id uuid PRIMARY KEY,
    number bigint NOT NULL
);
COMMENT ON TABLE feed_ends IS 'The last number of each organisation''s feed.';
COMMENT ON COLUMN feed_ends.org_id IS 'Whose.';
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
COMMENT ON TABLE deliveries IS 'Messages on their way to webhooks: one row for each message and webhook.';
COMMENT ON COLUMN deliveries.org_id IS 'Whose.';
COMMENT ON COLUMN deliveries.webhook_id IS 'To which webhook.';
COMMENT ON COLUMN deliveries.message_id IS 'Which message.';
COMMENT ON COLUMN deliveries.lane IS 'With what it shares its places: those of its webhook, or all Web Push of its organisation.';
COMMENT ON COLUMN deliveries.judging IS 'How often it was begun to look at the conditions; null when that is done, or there are none.';
COMMENT ON COLUMN deliveries.number IS 'As in feed.';
COMMENT ON COLUMN deliveries.member_id IS 'As in outbox: for webhooks that want the order of each member kept.';
COMMENT ON COLUMN deliveries.state IS 'waiting (for its first or next attempt), delivered, or dead: given up.';
COMMENT ON COLUMN deliveries.attempts IS 'How often it was tried.';
COMMENT ON COLUMN deliveries.created_at IS 'When it was handed out.';
COMMENT ON COLUMN deliveries.next_at IS 'When it is tried next.';
COMMENT ON COLUMN deliveries.tried_at IS 'When it was tried last.';
COMMENT ON COLUMN deliveries.status IS 'The status of the last answer.';
COMMENT ON COLUMN deliveries.error IS 'Why the last attempt failed.';
COMMENT ON COLUMN deliveries.milliseconds IS 'How long the last attempt took.';
-- What is due, by lane.
CREATE INDEX deliveries_due ON deliveries (org_id, lane, next_at, number) WHERE state = 'waiting' AND judging IS NULL;
-- Whose conditions are to be looked at?
CREATE INDEX deliveries_to_judge ON deliveries (org_id, next_at, number) WHERE state = 'waiting' AND judging IS NOT NULL;
-- The log of a webhook, newest first.
CREATE INDEX deliveries_of ON deliveries (org_id, webhook_id, number);
-- What waits for a member comes before what comes after it.
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
COMMENT ON TABLE webhook_states IS 'What a webhook has besides its document: its secrets, and how it is doing.';
COMMENT ON COLUMN webhook_states.org_id IS 'Whose.';
COMMENT ON COLUMN webhook_states.webhook_id IS 'Which webhook.';
COMMENT ON COLUMN webhook_states.secret IS 'Signs its messages.';
COMMENT ON COLUMN webhook_states.previous_secret IS 'Signs them as well, for a while after a rotation.';
COMMENT ON COLUMN webhook_states.previous_until IS 'Until when.';
COMMENT ON COLUMN webhook_states.failing_since IS 'Since when no attempt has succeeded; null while they do.';
COMMENT ON COLUMN webhook_states.disabled_at IS 'When it was given up last; null if it never was.';
COMMENT ON COLUMN webhook_states.disabled_reason IS 'Why.';

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
COMMENT ON TABLE jobs IS 'Long work that was asked for, and how far it is.';
COMMENT ON COLUMN jobs.job_id IS 'Its name.';
COMMENT ON COLUMN jobs.org_id IS 'Whose.';
COMMENT ON COLUMN jobs.kind IS 'import, update, …';
COMMENT ON COLUMN jobs.state IS 'running, finished, failed or cancelled.';
COMMENT ON COLUMN jobs.lines IS 'How many lines are done: where it goes on when it is taken up again.';
COMMENT ON COLUMN jobs.accepted IS 'How many of them were taken.';
COMMENT ON COLUMN jobs.refused IS 'How many were refused.';
COMMENT ON COLUMN jobs.begun_at IS 'When it was begun.';
COMMENT ON COLUMN jobs.begun_by IS 'By whom.';
COMMENT ON COLUMN jobs.moved_at IS 'When it last moved.';
COMMENT ON COLUMN jobs.result IS 'What came of it.';
-- The jobs of an organisation, newest first.
CREATE INDEX jobs_of_org ON jobs (org_id, begun_at, job_id);

CREATE TABLE importing_members (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    PRIMARY KEY (bucket, member_id, job_id)
);
COMMENT ON TABLE importing_members IS 'Members whose history an import is bringing in: until it ends, or has not moved for an hour, nothing falls due for them by itself.';
COMMENT ON COLUMN importing_members.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN importing_members.member_id IS 'Who.';
COMMENT ON COLUMN importing_members.job_id IS 'The import.';
-- Whom does an import let go of when it ends?
CREATE INDEX importing_members_of ON importing_members (job_id);

CREATE TABLE job_errors (
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    line bigint NOT NULL,
    message text NOT NULL,
    fields json NOT NULL,
    PRIMARY KEY (job_id, line)
);
COMMENT ON TABLE job_errors IS 'The lines of a job that were refused, and why.';
COMMENT ON COLUMN job_errors.job_id IS 'Of which job.';
COMMENT ON COLUMN job_errors.line IS 'Which line, from 1.';
COMMENT ON COLUMN job_errors.message IS 'Why.';
COMMENT ON COLUMN job_errors.fields IS 'The fields that are wrong.';

CREATE TABLE suspects (
    suspect_id uuid PRIMARY KEY,
    kind text NOT NULL,
    org_id uuid,
    member_id uuid,
    tries smallint NOT NULL,
    reason text NOT NULL,
    noted_at timestamptz NOT NULL
);
COMMENT ON TABLE suspects IS 'What a process had in hand when it died or hung. It is tried alone, and not for ever.';
COMMENT ON COLUMN suspects.suspect_id IS 'The event; or an id made of what else it was.';
COMMENT ON COLUMN suspects.kind IS 'event, tick (what is due for a member), programme, document or message.';
COMMENT ON COLUMN suspects.org_id IS 'Whose, if that is known.';
COMMENT ON COLUMN suspects.member_id IS 'Whose timers, of a tick.';
COMMENT ON COLUMN suspects.tries IS 'How often it was in hand then. From 2 on it is not tried again.';
COMMENT ON COLUMN suspects.reason IS 'Why the process ended.';
COMMENT ON COLUMN suspects.noted_at IS 'When it was noted last.';
