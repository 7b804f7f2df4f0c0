-- Messages are numbered by their bucket's log instead of by the transaction, whose numbers begin anew in another cluster.
-- What has been handed out stays so, and what waits is handed out; the feed keeps its order, and cursors lead where they
-- did.

SET LOCAL statement_timeout = 0;
LOCK TABLE outbox, outbox_handed, deliveries;

-- What waits: what is behind the place that was reached; and what was written since the data came from another cluster,
-- with lower numbers of transactions.
CREATE TEMPORARY TABLE earlier ON COMMIT DROP AS
SELECT o.xid, o.ordinal, o.message_id, o.org_id, o.created_at,
    CASE WHEN o.member_id IS NULL THEN 256 + get_byte(uuid_send(o.org_id), 15) ELSE get_byte(uuid_send(o.member_id), 15) END
        AS bucket,
    (o.xid, o.ordinal) > (handed.xid, handed.ordinal) AS behind,
    o.xid < handed.xid AND o.ordinal > handed.ordinal AND NOT EXISTS (
        SELECT FROM deliveries AS d WHERE d.org_id = o.org_id AND d.message_id = o.message_id
    ) AS moved
FROM outbox AS o CROSS JOIN outbox_handed AS handed;

CREATE TEMPORARY TABLE placed ON COMMIT DROP AS
SELECT message_id, bucket, behind OR moved AS waits,
    row_number() OVER (PARTITION BY bucket ORDER BY behind OR moved, moved, xid, ordinal) AS ordinal
FROM earlier;

ALTER TABLE outbox RENAME TO outbox_before;
ALTER TABLE outbox_before DROP CONSTRAINT outbox_pkey;
DROP INDEX outbox_by_id, outbox_of_org;
DROP TABLE outbox_handed;

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
INSERT INTO outbox
SELECT bucket, 0, placed.ordinal, message_id, org_id, member_id, type, only_to, payload, created_at
FROM outbox_before JOIN placed USING (message_id);
DROP TABLE outbox_before;
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

UPDATE outbox_handed SET ordinal = done.ordinal
FROM (SELECT bucket, max(ordinal) AS ordinal FROM placed WHERE NOT waits GROUP BY bucket) AS done
WHERE outbox_handed.bucket = done.bucket;

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
INSERT INTO feed
SELECT org_id, row_number() OVER (PARTITION BY org_id ORDER BY moved, xid, ordinal), message_id, created_at, xid, ordinal
FROM earlier;
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
INSERT INTO feed_ends SELECT org_id, max(number) FROM feed GROUP BY org_id;

ALTER TABLE deliveries ADD COLUMN number bigint;
UPDATE deliveries SET number = coalesce(
    (SELECT number FROM feed WHERE feed.message_id = deliveries.message_id AND earlier_xid IS NOT NULL), 0
);
ALTER TABLE deliveries ALTER COLUMN number SET NOT NULL;
COMMENT ON COLUMN deliveries.number IS 'As in feed.';
ALTER TABLE deliveries DROP COLUMN xid, DROP COLUMN ordinal; -- and with them the indexes deliveries_of, deliveries_waiting_of
-- The log of a webhook, newest first.
CREATE INDEX deliveries_of ON deliveries (org_id, webhook_id, number);
-- What waits for a member comes before what comes after it.
CREATE INDEX deliveries_waiting_of ON deliveries (org_id, webhook_id, member_id, number) WHERE state = 'waiting';
