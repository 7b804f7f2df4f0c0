-- Rate limits, idempotency keys, consents, daily totals, the outbox and webhooks, jobs.

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
    PRIMARY KEY (org_id, key)
);
COMMENT ON TABLE idempotency_keys IS 'Answers to requests with an Idempotency-Key, kept for a day.';
COMMENT ON COLUMN idempotency_keys.org_id IS 'Whose.';
COMMENT ON COLUMN idempotency_keys.key IS 'The client''s key.';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'Of the call and its body.';
COMMENT ON COLUMN idempotency_keys.begun_at IS 'When the request came.';
COMMENT ON COLUMN idempotency_keys.status IS 'The answer''s status; null while it is being answered.';
COMMENT ON COLUMN idempotency_keys.content IS 'The answer''s body.';
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
    xid bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    message_id uuid NOT NULL,
    org_id uuid NOT NULL,
    member_id uuid,
    type text NOT NULL,
    only_to text,
    payload json NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (xid, ordinal)
);
COMMENT ON TABLE outbox IS 'Messages to other systems, written by the commit that they tell of.';
COMMENT ON COLUMN outbox.xid IS 'The transaction that wrote it: readers wait for all before it, so that none is passed over.';
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
-- The messages of an organisation, in order.
CREATE INDEX outbox_of_org ON outbox (org_id, xid, ordinal);

CREATE TABLE outbox_handed (
    one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    xid bigint NOT NULL DEFAULT 0,
    ordinal bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE outbox_handed IS 'How far the outbox has been handed out to webhooks. One row.';
COMMENT ON COLUMN outbox_handed.one_row IS 'There is one.';
COMMENT ON COLUMN outbox_handed.xid IS 'The last message''s transaction.';
COMMENT ON COLUMN outbox_handed.ordinal IS 'And its order.';
INSERT INTO outbox_handed DEFAULT VALUES;

CREATE TABLE deliveries (
    org_id uuid NOT NULL,
    webhook_id text NOT NULL,
    message_id uuid NOT NULL,
    xid bigint NOT NULL,
    ordinal bigint NOT NULL,
    member_id uuid,
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
COMMENT ON COLUMN deliveries.xid IS 'As in outbox.';
COMMENT ON COLUMN deliveries.ordinal IS 'As in outbox.';
COMMENT ON COLUMN deliveries.member_id IS 'As in outbox: for webhooks that want the order of each member kept.';
COMMENT ON COLUMN deliveries.state IS 'waiting (for its first or next attempt), delivered, or dead: given up.';
COMMENT ON COLUMN deliveries.attempts IS 'How often it was tried.';
COMMENT ON COLUMN deliveries.created_at IS 'When it was handed out.';
COMMENT ON COLUMN deliveries.next_at IS 'When it is tried next.';
COMMENT ON COLUMN deliveries.tried_at IS 'When it was tried last.';
COMMENT ON COLUMN deliveries.status IS 'The status of the last answer.';
COMMENT ON COLUMN deliveries.error IS 'Why the last attempt failed.';
COMMENT ON COLUMN deliveries.milliseconds IS 'How long the last attempt took.';
-- What is due?
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE state = 'waiting';
-- The log of a webhook, newest first.
CREATE INDEX deliveries_of ON deliveries (org_id, webhook_id, xid, ordinal);
-- What waits for a member comes before what comes after it.
CREATE INDEX deliveries_waiting_of ON deliveries (org_id, webhook_id, member_id, xid, ordinal) WHERE state = 'waiting';

CREATE TABLE webhook_states (
    org_id uuid NOT NULL,
    webhook_id text NOT NULL,
    secret text NOT NULL,
    previous_secret text,
    previous_until timestamptz,
    failing_since timestamptz,
    disabled_at timestamptz,
    PRIMARY KEY (org_id, webhook_id)
);
COMMENT ON TABLE webhook_states IS 'What a webhook has besides its document: its secrets, and how it is doing.';
COMMENT ON COLUMN webhook_states.org_id IS 'Whose.';
COMMENT ON COLUMN webhook_states.webhook_id IS 'Which webhook.';
COMMENT ON COLUMN webhook_states.secret IS 'Signs its messages.';
COMMENT ON COLUMN webhook_states.previous_secret IS 'Signs them as well, for a while after a rotation.';
COMMENT ON COLUMN webhook_states.previous_until IS 'Until when.';
COMMENT ON COLUMN webhook_states.failing_since IS 'Since when no attempt has succeeded; null while they do.';
COMMENT ON COLUMN webhook_states.disabled_at IS 'When it was given up, after days of failures; null while it is in use.';

-- ---------------------------------------------------------------------------------------------------- jobs

CREATE TABLE jobs (
    job_id uuid PRIMARY KEY,
    org_id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'finished', 'failed')),
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
COMMENT ON COLUMN jobs.state IS 'running, finished or failed.';
COMMENT ON COLUMN jobs.lines IS 'How many lines are done: where it goes on when it is taken up again.';
COMMENT ON COLUMN jobs.accepted IS 'How many of them were taken.';
COMMENT ON COLUMN jobs.refused IS 'How many were refused.';
COMMENT ON COLUMN jobs.begun_at IS 'When it was begun.';
COMMENT ON COLUMN jobs.begun_by IS 'By whom.';
COMMENT ON COLUMN jobs.moved_at IS 'When it last moved.';
COMMENT ON COLUMN jobs.result IS 'What came of it.';
-- The jobs of an organisation, newest first.
CREATE INDEX jobs_of_org ON jobs (org_id, begun_at, job_id);

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

ALTER TABLE members ADD COLUMN erased_at timestamptz;
COMMENT ON COLUMN members.erased_at IS 'When the person was erased; null for a person.';

ALTER TABLE identities DROP CONSTRAINT identities_kind_check;
COMMENT ON COLUMN identities.kind IS 'email (in lower case), phone (digits with a leading plus), or another field that the profile schema marks as unique.';
-- The key of a custom field is its own.
CREATE UNIQUE INDEX documents_key ON documents (org_id, (doc ->> 'key')) WHERE kind = 'custom_field';

ALTER TABLE document_references ADD COLUMN required boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN document_references.required IS 'Whether it must be there.';
