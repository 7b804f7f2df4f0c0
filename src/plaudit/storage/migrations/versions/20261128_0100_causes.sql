-- What brought something about has a kind and an id. Until now one text held either a campaign's id or the name of another
-- cause, so a campaign with the id `manual_grant` could not be told from a reward granted by hand.

SET LOCAL statement_timeout = 0;

CREATE FUNCTION pg_temp.kind_of(cause text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN cause IN (
            'manual', 'manual_grant', 'opening', 'welcome_bonus', 'enrolment', 'referral', 'profile', 'redemption', 'import',
            'merge', 'rollback'
        ) THEN cause
        WHEN cause ~ '^(expiry|streak|ladder|segment|competition)\.' THEN split_part(cause, '.', 1)
        ELSE 'campaign'
    END
$$;
CREATE FUNCTION pg_temp.id_of(cause text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN cause ~ '^(expiry|streak|ladder|segment|competition)\.' THEN substr(cause, strpos(cause, '.') + 1)
        WHEN pg_temp.kind_of(cause) = 'campaign' THEN cause
        ELSE ''
    END
$$;

-- Campaigns whose ids read like other causes, of which there is none or hardly any. What a command of another kind led to
-- is theirs; so is all that reads like a streak, a ladder … that there has never been.
CREATE TEMPORARY TABLE named_alike ON COMMIT DROP AS
SELECT DISTINCT org_id, id FROM document_versions AS d
WHERE kind = 'campaign' AND pg_temp.kind_of(id) <> 'campaign' AND NOT EXISTS (
    SELECT FROM document_versions AS m WHERE m.org_id = d.org_id AND m.id = pg_temp.id_of(d.id)
        AND m.kind = CASE pg_temp.kind_of(d.id) WHEN 'expiry' THEN 'metric' ELSE pg_temp.kind_of(d.id) END
);
CREATE FUNCTION pg_temp.is_made_by(cause text, event_kind text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE cause
        WHEN 'manual' THEN event_kind IN ('transaction', 'transfer', 'receipt', 'hold', 'reversal')
        WHEN 'manual_grant' THEN event_kind = 'grant'
        WHEN 'welcome_bonus' THEN event_kind = 'registration'
        WHEN 'merge' THEN event_kind IN ('merge', 'takeover')
        WHEN 'opening' THEN true
        ELSE event_kind = cause
    END
$$;

ALTER TABLE transactions RENAME COLUMN campaign_id TO cause_id;
ALTER TABLE transactions ADD COLUMN cause_kind text NOT NULL DEFAULT 'campaign';
UPDATE transactions AS t SET cause_kind = pg_temp.kind_of(cause_id), cause_id = pg_temp.id_of(cause_id)
WHERE pg_temp.kind_of(cause_id) <> 'campaign' AND NOT EXISTS (
    SELECT FROM named_alike AS n JOIN events AS e ON (e.bucket, e.member_id, e.position) = (t.bucket, t.member_id, t.position)
    WHERE (n.org_id, n.id) = (t.org_id, t.cause_id) AND NOT pg_temp.is_made_by(t.cause_id, e.kind)
);
ALTER TABLE transactions ALTER COLUMN cause_kind DROP DEFAULT;

ALTER TABLE coupons RENAME COLUMN campaign_id TO cause_id;
ALTER TABLE coupons ADD COLUMN cause_kind text NOT NULL DEFAULT 'campaign';
UPDATE coupons AS c SET cause_kind = pg_temp.kind_of(cause_id), cause_id = pg_temp.id_of(cause_id)
WHERE pg_temp.kind_of(cause_id) <> 'campaign' AND NOT EXISTS (
    SELECT FROM named_alike AS n
    JOIN event_ids AS i ON i.event_id = c.event_id JOIN events AS e USING (bucket, member_id, position, decided_at)
    WHERE (n.org_id, n.id) = (c.org_id, c.cause_id) AND NOT pg_temp.is_made_by(c.cause_id, e.kind)
);
ALTER TABLE coupons ALTER COLUMN cause_kind DROP DEFAULT;

ALTER TABLE notifications RENAME COLUMN campaign_id TO cause_id;
ALTER TABLE notifications ADD COLUMN cause_kind text NOT NULL DEFAULT 'campaign';
UPDATE notifications AS t SET cause_kind = pg_temp.kind_of(cause_id), cause_id = pg_temp.id_of(cause_id)
WHERE pg_temp.kind_of(cause_id) <> 'campaign' AND NOT EXISTS (
    SELECT FROM named_alike AS n JOIN members AS m USING (org_id)
    WHERE (m.bucket, m.member_id) = (t.bucket, t.member_id) AND n.id = t.cause_id
);
ALTER TABLE notifications ALTER COLUMN cause_kind DROP DEFAULT;

ALTER TABLE daily_totals DROP CONSTRAINT daily_totals_pkey;
ALTER TABLE daily_totals RENAME COLUMN campaign_id TO cause_id;
ALTER TABLE daily_totals ADD COLUMN cause_kind text NOT NULL DEFAULT 'campaign';
UPDATE daily_totals SET cause_kind = pg_temp.kind_of(cause_id), cause_id = pg_temp.id_of(cause_id)
WHERE pg_temp.kind_of(cause_id) <> 'campaign';
ALTER TABLE daily_totals ALTER COLUMN cause_kind DROP DEFAULT;
ALTER TABLE daily_totals ADD PRIMARY KEY (org_id, day, metric, cause_kind, cause_id, stripe);
-- Totals of a campaign and of the cause that it is named like were in one row: they are summed again.
DELETE FROM daily_totals AS t USING named_alike AS n
WHERE t.org_id = n.org_id AND t.cause_kind = pg_temp.kind_of(n.id) AND t.cause_id = pg_temp.id_of(n.id);
INSERT INTO daily_totals (org_id, day, metric, cause_kind, cause_id, stripe, credits, debits, credit_count, debit_count)
SELECT t.org_id, (occurred_at AT TIME ZONE coalesce(z.name, 'UTC'))::date, metric, cause_kind, cause_id, 64,
    sum(greatest(amount, 0)), -sum(least(amount, 0)), count(*) FILTER (WHERE amount > 0), count(*) FILTER (WHERE amount < 0)
FROM named_alike AS n JOIN transactions AS t ON t.org_id = n.org_id AND (t.cause_kind, t.cause_id) IN (
    ('campaign', n.id), (pg_temp.kind_of(n.id), pg_temp.id_of(n.id))
)
LEFT JOIN documents AS s ON s.org_id = t.org_id AND s.kind = 'settings'
LEFT JOIN pg_timezone_names AS z ON z.name = s.doc ->> 'timeZone'
WHERE amount <> 0 GROUP BY 1, 2, 3, 4, 5;

-- Names of the glossary.
ALTER TABLE members RENAME COLUMN present TO latest_at;
ALTER TABLE standings RENAME COLUMN last_round TO previous_round;
ALTER TABLE standings RENAME COLUMN last_score TO previous_score;
ALTER TABLE standings RENAME COLUMN last_reached_at TO previous_reached_at;
ALTER TABLE contests RENAME TO competition_results;
ALTER INDEX contests_pkey RENAME TO competition_results_pkey;

COMMENT ON TABLE orgs IS 'Organisations: the tenants. Everything else belongs to one of them.';
COMMENT ON COLUMN orgs.org_id IS 'The id that clients send as X-Monterosa-Org-ID.';
COMMENT ON COLUMN orgs.name IS 'For display only.';
COMMENT ON COLUMN orgs.program_version IS 'Incremented by every configuration change. The row lock serialises changes.';
COMMENT ON COLUMN orgs.is_test IS 'Whether its clock can be moved.';
COMMENT ON COLUMN orgs.clock_offset IS 'How far its clock is ahead of the wall clock.';
COMMENT ON COLUMN orgs.slug IS 'The first label of its host name, where the server has one per organisation.';
COMMENT ON TABLE api_keys IS 'API keys. The secret is shown once and never stored.';
COMMENT ON COLUMN api_keys.key_id IS 'Identifies the key; not secret.';
COMMENT ON COLUMN api_keys.org_id IS 'The only organisation that the key gives access to.';
COMMENT ON COLUMN api_keys.name IS 'For display only.';
COMMENT ON COLUMN api_keys.secret_hash IS 'SHA-256 of the secret. The secret has 256 random bits, so a plain hash is enough.';
COMMENT ON COLUMN api_keys.scopes IS 'What the key allows: actions:write, admin:read, admin:write, members:read, members:write.';
COMMENT ON COLUMN api_keys.created_at IS 'When it was created.';
COMMENT ON COLUMN api_keys.expires_at IS 'When it stops working; null if never.';
COMMENT ON TABLE signing_keys IS 'The server''s own RSA keys, which sign access tokens. The public halves are at /.well-known/jwks.json.';
COMMENT ON COLUMN signing_keys.kid IS 'The key''s id in a token''s header.';
COMMENT ON COLUMN signing_keys.created_at IS 'When it was created. The newest key signs.';
COMMENT ON COLUMN signing_keys.retired_at IS 'When its tokens stop being accepted; null while it is active.';
COMMENT ON TABLE clock_moves IS 'When clocks of test organisations were moved: times stored by the wall clock are shown by the organisation''s.';
COMMENT ON COLUMN clock_moves.org_id IS 'The organisation.';
COMMENT ON COLUMN clock_moves.moved_at IS 'When it was moved, by the wall clock.';
COMMENT ON COLUMN clock_moves.offset_before IS 'How far the clock was ahead until then.';
COMMENT ON COLUMN clock_moves.offset_after IS 'How far the clock is ahead from then on.';
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
COMMENT ON TABLE document_versions IS 'Every version of every document. It is the audit log, and explains old events.';
COMMENT ON COLUMN document_versions.org_id IS 'The organisation.';
COMMENT ON COLUMN document_versions.kind IS 'Same as documents.kind.';
COMMENT ON COLUMN document_versions.id IS 'Same as documents.id.';
COMMENT ON COLUMN document_versions.version IS 'The document''s own count; starts again when an id is used again after a deletion.';
COMMENT ON COLUMN document_versions.ordinal IS 'Same as documents.ordinal.';
COMMENT ON COLUMN document_versions.program_version IS 'The version of the programme that this change created.';
COMMENT ON COLUMN document_versions.changed_at IS 'When it happened.';
COMMENT ON COLUMN document_versions.changed_by IS 'Who did it.';
COMMENT ON TABLE document_references IS 'References between documents. A delete that would leave one dangling is refused.';
COMMENT ON COLUMN document_references.org_id IS 'The organisation.';
COMMENT ON COLUMN document_references.kind IS 'The referring document''s kind.';
COMMENT ON COLUMN document_references.id IS 'The referring document''s id.';
COMMENT ON COLUMN document_references.field IS 'The field that holds the reference.';
COMMENT ON COLUMN document_references.to_kind IS 'The referenced document''s kind.';
COMMENT ON COLUMN document_references.to_id IS 'The referenced document''s id.';
COMMENT ON COLUMN document_references.required IS 'Whether the referenced document must exist.';
COMMENT ON TABLE members IS 'Members. Rows are only written while holding the lock of their bucket.';
COMMENT ON COLUMN members.org_id IS 'The organisation.';
COMMENT ON COLUMN members.user_id IS 'The client''s identifier of the member.';
COMMENT ON COLUMN members.latest_at IS 'Time of the member''s latest event of any kind, including timers.';
COMMENT ON COLUMN members.sequence IS 'Number of events decided for the member; timer ids are derived from it.';
COMMENT ON COLUMN members.due_at IS 'When the next timer is due: an expiry, a lapse, the end of a window.';
COMMENT ON COLUMN members.erased_at IS 'When the member was erased; null otherwise.';
COMMENT ON COLUMN members.merged_into IS 'The user_id of the member that this one was merged into; null otherwise.';
COMMENT ON COLUMN members.active_at IS 'Time of the latest event that the member caused; null if there is none.';
COMMENT ON TABLE identities IS 'Alternative keys of members; each belongs to one member only.';
COMMENT ON COLUMN identities.org_id IS 'The organisation.';
COMMENT ON COLUMN identities.value IS 'The key itself.';
COMMENT ON COLUMN identities.user_id IS 'Copy of the member''s user_id, saves a lookup.';
COMMENT ON TABLE balances IS 'Members'' balances by metric: each is the sum of the member''s transactions of the metric.';
COMMENT ON COLUMN balances.member_id IS 'The member.';
COMMENT ON COLUMN balances.amount IS 'The current balance.';
COMMENT ON COLUMN balances.earned IS 'Earned in the member''s lifetime: credits, without transfers received and without what was reversed.';
COMMENT ON COLUMN balances.book IS 'Lots, holds and cap counters (core/ledger/lots.py); null if the balance is a single lot that never expires.';
COMMENT ON TABLE progress IS 'Members'' states in campaigns, streaks, ladders …: one small document each.';
COMMENT ON COLUMN progress.member_id IS 'The member.';
COMMENT ON COLUMN progress.kind IS 'The kind of document that the state belongs to.';
COMMENT ON COLUMN progress.key IS 'The document''s id.';
COMMENT ON COLUMN progress.state IS 'The state, as JSON; see core/member.py.';
COMMENT ON TABLE segment_members IS 'Members by segment. Derived from progress; exists for listing.';
COMMENT ON COLUMN segment_members.member_id IS 'The member.';
COMMENT ON COLUMN segment_members.org_id IS 'The organisation.';
COMMENT ON COLUMN segment_members.segment_id IS 'The segment''s id.';
COMMENT ON COLUMN segment_members.since IS 'When the member entered the segment.';
COMMENT ON TABLE segment_fills IS 'Progress of evaluating existing members for a new or changed segment.';
COMMENT ON COLUMN segment_fills.org_id IS 'The organisation.';
COMMENT ON COLUMN segment_fills.segment_id IS 'The segment''s id.';
COMMENT ON COLUMN segment_fills.version IS 'The segment''s version that members are evaluated for.';
COMMENT ON COLUMN segment_fills.bucket IS 'The next bucket of members to evaluate.';
COMMENT ON COLUMN segment_fills.looked_at IS 'Number of members evaluated.';
COMMENT ON COLUMN segment_fills.changed IS 'Number of members who enter or leave the segment.';
COMMENT ON COLUMN segment_fills.finished_at IS 'When all members had been evaluated.';
COMMENT ON TABLE holdings IS 'Products that members have.';
COMMENT ON COLUMN holdings.member_id IS 'The member.';
COMMENT ON COLUMN holdings.product_id IS 'The product''s id.';
COMMENT ON COLUMN holdings.quantity IS 'How many the member has.';
COMMENT ON COLUMN holdings.first_at IS 'When the member got the first one.';
COMMENT ON COLUMN holdings.last_at IS 'When the member got the latest one.';
COMMENT ON TABLE entries IS 'Entries in competitions.';
COMMENT ON COLUMN entries.member_id IS 'The member.';
COMMENT ON COLUMN entries.competition_id IS 'The competition''s id.';
COMMENT ON COLUMN entries.entries IS 'How many the member has.';
COMMENT ON COLUMN standings.member_id IS 'The member.';
COMMENT ON COLUMN standings.org_id IS 'The organisation.';
COMMENT ON COLUMN standings.competition_id IS 'The competition''s id.';
COMMENT ON COLUMN standings.score IS 'The score, scaled by the metric''s decimals, or in millionths for a score by events.';
COMMENT ON COLUMN standings.reached_at IS 'When the score was reached. Breaks ties: earlier ranks higher.';
COMMENT ON COLUMN standings.round IS 'The league''s round that the score belongs to; empty without a league.';
COMMENT ON COLUMN standings.previous_round IS 'The previous round in which the member scored.';
COMMENT ON COLUMN standings.previous_score IS 'The score of that round.';
COMMENT ON COLUMN standings.previous_reached_at IS 'When that score was reached.';
COMMENT ON COLUMN standings.position IS 'Log position of the event that changed it; in-memory boards use it to catch up.';
COMMENT ON TABLE competition_results IS 'Draw seed and final result of a competition.';
COMMENT ON COLUMN competition_results.org_id IS 'The organisation.';
COMMENT ON COLUMN competition_results.competition_id IS 'The competition''s id.';
COMMENT ON COLUMN competition_results.seed IS 'Random seed of the draw. Its hash is public from the opening; the seed is published with the result.';
COMMENT ON COLUMN competition_results.opened_at IS 'When the seed was created.';
COMMENT ON COLUMN competition_results.settled_at IS 'When the draw was held or the prizes were awarded.';
COMMENT ON TABLE league_rounds IS 'Rounds of leagues that are over, with who moved or won.';
COMMENT ON COLUMN league_rounds.org_id IS 'The organisation.';
COMMENT ON COLUMN league_rounds.competition_id IS 'The competition''s id.';
COMMENT ON COLUMN league_rounds.round IS 'The round: the name of a day, week or month.';
COMMENT ON TABLE coupons IS 'Codes issued to members. For a unique code, codes.state holds its state.';
COMMENT ON COLUMN coupons.member_id IS 'The member.';
COMMENT ON COLUMN coupons.org_id IS 'The organisation.';
COMMENT ON COLUMN coupons.origin_id IS 'The reward, product or pool that it comes from.';
COMMENT ON COLUMN coupons.pool_id IS 'The pool of a unique code; null for a code that is the same for everybody.';
COMMENT ON COLUMN coupons.code IS 'The code that the member shows.';
COMMENT ON COLUMN coupons.cause_kind IS 'What brought it about: campaign, manual_grant, or another kind of cause (core/cause.py).';
COMMENT ON COLUMN coupons.cause_id IS 'The campaign''s, streak''s … id; empty for kinds without one.';
COMMENT ON COLUMN coupons.issued_at IS 'When it was issued, by the time of the event.';
COMMENT ON COLUMN coupons.expires_at IS 'When it becomes invalid; null if never.';
COMMENT ON COLUMN coupons.revoked_at IS 'When it was revoked, by the time of the event; null if it is valid.';
COMMENT ON TABLE notifications IS 'Notifications for members.';
COMMENT ON COLUMN notifications.member_id IS 'The member.';
COMMENT ON COLUMN notifications.cause_kind IS 'What brought it about: campaign, or another kind of cause (core/cause.py).';
COMMENT ON COLUMN notifications.cause_id IS 'The campaign''s, streak''s … id; empty for kinds without one.';
COMMENT ON COLUMN notifications.display IS 'How the app shows it: none, toast, banner or modal.';
COMMENT ON COLUMN notifications.title IS 'The heading, if there is one.';
COMMENT ON COLUMN notifications.created_at IS 'When it was created, by the time of the event.';
COMMENT ON COLUMN notifications.sequence IS 'Increasing number per member, assigned under the bucket lock.';
COMMENT ON COLUMN notifications.step IS 'The step that was completed, for a step.completed.';
COMMENT ON COLUMN notifications.changes IS 'What changed with it (core/change_summary.py).';
COMMENT ON COLUMN notifications.expires_at IS 'When it is no longer shown; null if never.';
COMMENT ON COLUMN notifications.read_at IS 'When the member read it; null while unread.';
COMMENT ON TABLE push_keys IS 'The server''s key for Web Push (VAPID). It is permanent: browsers'' subscriptions are bound to it.';
COMMENT ON COLUMN push_keys.one IS 'Constant; enforces a single row.';
COMMENT ON COLUMN push_keys.created_at IS 'When it was created.';
COMMENT ON TABLE push_subscriptions IS 'Browsers and phones that members receive Web Push on.';
COMMENT ON COLUMN push_subscriptions.member_id IS 'The member.';
COMMENT ON COLUMN push_subscriptions.org_id IS 'The organisation.';
COMMENT ON COLUMN push_subscriptions.endpoint IS 'The address of the browser''s push service for it.';
COMMENT ON COLUMN push_subscriptions.created_at IS 'When it was created.';
COMMENT ON TABLE watches IS 'Buckets with open live streams. Commits in them send a notification.';
COMMENT ON COLUMN watches.until IS 'When the watch ends unless renewed.';
COMMENT ON TABLE inbox IS 'Events not decided yet. Deciding one moves it to events in the same transaction.';
COMMENT ON COLUMN inbox.inbox_id IS 'Arrival order. Rows become visible in commit order, so never poll by last id; decided rows are removed.';
COMMENT ON COLUMN inbox.event_id IS 'Random, or derived from event_key.';
COMMENT ON COLUMN inbox.event_key IS 'The sender''s own id of the event: the same id is the same event.';
COMMENT ON COLUMN inbox.org_id IS 'The organisation.';
COMMENT ON COLUMN inbox.kind IS 'action, or a command such as grant or profile (core/event.py).';
COMMENT ON COLUMN inbox.trigger IS 'The trigger that campaigns listen to.';
COMMENT ON COLUMN inbox.occurred_at IS 'When it happened, according to its sender.';
COMMENT ON COLUMN inbox.received_at IS 'When the server received it.';
COMMENT ON COLUMN inbox.source IS 'How it arrived: api, member, import, engine …';
COMMENT ON COLUMN inbox.fingerprint IS 'Hash of the content. The same key with different content is an error.';
COMMENT ON TABLE positions IS 'Last log position of each bucket. The row lock is the bucket lock: it is held from deciding to commit.';
COMMENT ON COLUMN positions.moved_at IS 'When it was last written. While history is being imported, overdue timers wait for it.';
COMMENT ON TABLE event_ids IS 'Ids of all decided events. Guarantees that each counts once, even after its partition is archived.';
COMMENT ON COLUMN event_ids.bucket IS 'The bucket of its log.';
COMMENT ON COLUMN event_ids.member_id IS 'The member.';
COMMENT ON COLUMN event_ids.position IS 'Its position in the bucket''s log.';
COMMENT ON COLUMN event_ids.decided_at IS 'When it was decided, which names its partition.';
COMMENT ON COLUMN event_ids.fingerprint IS 'Same as inbox.fingerprint.';
COMMENT ON TABLE events IS 'The event log, in order per bucket. Append-only, partitioned by month.';
COMMENT ON COLUMN events.position IS 'The place in the bucket''s log, without gaps, assigned under the bucket lock.';
COMMENT ON COLUMN events.event_id IS 'Same as event_ids.event_id.';
COMMENT ON COLUMN events.event_key IS 'The sender''s own id of the event.';
COMMENT ON COLUMN events.org_id IS 'The organisation.';
COMMENT ON COLUMN events.member_id IS 'The member.';
COMMENT ON COLUMN events.kind IS 'Same as inbox.kind.';
COMMENT ON COLUMN events.trigger IS 'The trigger that campaigns listened to.';
COMMENT ON COLUMN events.occurred_at IS 'When it happened, according to its sender.';
COMMENT ON COLUMN events.received_at IS 'When the server received it.';
COMMENT ON COLUMN events.source IS 'Same as inbox.source.';
COMMENT ON COLUMN events.state IS 'processed; or rejected, with the reason in outcome.';
COMMENT ON COLUMN events.program_version IS 'The version of the programme that decided it.';
COMMENT ON COLUMN events.outcome IS 'The trace, and which claims succeeded or were refused (engine/processed.py).';
COMMENT ON TABLE events_rest IS 'Default partition. Empty as long as monthly partitions are created in time.';
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
COMMENT ON COLUMN failed_events.failed_at IS 'When it last failed.';
COMMENT ON TABLE transactions IS 'The ledger. Append-only; corrections are new transactions.';
COMMENT ON COLUMN transactions.member_id IS 'The member.';
COMMENT ON COLUMN transactions.transaction_id IS 'Derived from (event, cause, step, index).';
COMMENT ON COLUMN transactions.org_id IS 'The organisation.';
COMMENT ON COLUMN transactions.metric IS 'The metric''s id.';
COMMENT ON COLUMN transactions.amount IS 'The credit, or the debit if negative.';
COMMENT ON COLUMN transactions.balance_after IS 'The balance after it.';
COMMENT ON COLUMN transactions.cause_kind IS 'What brought it about: campaign, manual, streak, expiry … (core/cause.py).';
COMMENT ON COLUMN transactions.cause_id IS 'The campaign''s, streak''s, metric''s … id; empty for kinds without one.';
COMMENT ON COLUMN transactions.reason IS 'For display only.';
COMMENT ON COLUMN transactions.occurred_at IS 'When it happened, by the time of the event.';
COMMENT ON COLUMN transactions.created_at IS 'When it was stored.';
COMMENT ON COLUMN transactions.reverses IS 'The transaction that it reverses.';
COMMENT ON COLUMN transactions.details IS 'Its postings on lots; or why the amount is 0 and when the next one is possible.';
COMMENT ON TABLE transactions_rest IS 'Default partition. Empty as long as monthly partitions are created in time.';
COMMENT ON TABLE claimed IS 'Amounts used of scarce things: overall campaign limits and product stock. The totals are in the documents.';
COMMENT ON COLUMN claimed.org_id IS 'The organisation.';
COMMENT ON COLUMN claimed.key IS 'The campaign''s or the product''s id.';
COMMENT ON COLUMN claimed.quantity IS 'The amount used.';
COMMENT ON COLUMN codes.org_id IS 'The organisation.';
COMMENT ON COLUMN codes.pool_id IS 'The code pool''s id.';
COMMENT ON COLUMN codes.code IS 'The secret code.';
COMMENT ON COLUMN codes.ordinal IS 'The order in which codes are issued.';
COMMENT ON COLUMN codes.state IS 'available → allocated (issued to a member) → redeemed (used) or revoked; or available → expired.';
COMMENT ON COLUMN codes.coupon_id IS 'The coupon that it was issued as.';
COMMENT ON COLUMN codes.allocated_at IS 'When it was issued.';
COMMENT ON TABLE leases IS 'Which worker processes which bucket, and until when unless renewed (engine/leases.py).';
COMMENT ON COLUMN leases.worker_id IS 'The worker; null if there is none.';
COMMENT ON COLUMN leases.until IS 'When the lease ends unless renewed.';
COMMENT ON TABLE workers IS 'Live workers, which share the buckets.';
COMMENT ON COLUMN workers.worker_id IS 'Random, new at each start.';
COMMENT ON COLUMN workers.seen_at IS 'Time of the last heartbeat.';
COMMENT ON TABLE rate_windows IS 'Requests counted in the current window of each rate limit.';
COMMENT ON COLUMN rate_windows.key IS 'The limit and the caller.';
COMMENT ON COLUMN rate_windows.used IS 'Requests counted; may exceed the limit when some were rejected.';
COMMENT ON TABLE idempotency_keys IS 'Responses to requests with an Idempotency-Key, kept for a day. Responses with a secret are not stored.';
COMMENT ON COLUMN idempotency_keys.org_id IS 'The organisation.';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'Hash of the call and its body.';
COMMENT ON COLUMN idempotency_keys.begun_at IS 'When the request was received.';
COMMENT ON COLUMN idempotency_keys.status IS 'Status of the response; null while the request is in progress.';
COMMENT ON COLUMN idempotency_keys.content IS 'Body of the response; null if it holds a secret.';
COMMENT ON COLUMN idempotency_keys.caller IS 'The only caller that gets the response again: the member, or the key and its scopes.';
COMMENT ON COLUMN idempotency_keys.made IS 'The id of what was created, where the response is not stored.';
COMMENT ON TABLE consents IS 'Consents given and withdrawn, with history. Deleted on erasure.';
COMMENT ON COLUMN consents.member_id IS 'The member.';
COMMENT ON COLUMN consents.ordinal IS 'The order in which they were recorded.';
COMMENT ON COLUMN consents.purpose IS 'What the consent is for.';
COMMENT ON COLUMN consents.granted IS 'Whether it was given or withdrawn.';
COMMENT ON COLUMN consents.source IS 'Where it was given: a form, a call, a shop.';
COMMENT ON COLUMN consents.given_at IS 'When it was given.';
COMMENT ON COLUMN consents.recorded_at IS 'When it was stored.';
COMMENT ON COLUMN consents.recorded_by IS 'Who stored it.';
COMMENT ON TABLE daily_totals IS 'Amounts credited and debited by day, metric and cause. Maintained by every commit, so analytics never scan the ledger.';
COMMENT ON COLUMN daily_totals.org_id IS 'The organisation.';
COMMENT ON COLUMN daily_totals.metric IS 'The metric''s id.';
COMMENT ON COLUMN daily_totals.cause_kind IS 'Same as transactions.cause_kind.';
COMMENT ON COLUMN daily_totals.cause_id IS 'Same as transactions.cause_id.';
COMMENT ON COLUMN daily_totals.stripe IS 'Writer number, so that concurrent lanes do not contend for a row. Sum over stripes.';
COMMENT ON COLUMN daily_totals.credits IS 'Sum of the credits.';
COMMENT ON COLUMN daily_totals.debits IS 'Sum of the debits, as a positive number.';
COMMENT ON COLUMN daily_totals.credit_count IS 'Number of credits.';
COMMENT ON COLUMN daily_totals.debit_count IS 'Number of debits.';
COMMENT ON TABLE outbox IS 'Messages to other systems, stored by the commit that they report.';
COMMENT ON COLUMN outbox.position IS 'That of its event in the bucket''s log, or the organisation bucket''s own; 0 for messages older than this numbering. Assigned under a lock held to the commit, so none becomes visible before an earlier one.';
COMMENT ON COLUMN outbox.ordinal IS 'The order within the position.';
COMMENT ON COLUMN outbox.message_id IS 'The message''s public id: webhook-id.';
COMMENT ON COLUMN outbox.org_id IS 'The organisation.';
COMMENT ON COLUMN outbox.member_id IS 'The member that it is about, if there is one.';
COMMENT ON COLUMN outbox.type IS 'The type of message: transaction.created …';
COMMENT ON COLUMN outbox.only_to IS 'The only webhook that it is for; null for all webhooks that want its type.';
COMMENT ON COLUMN outbox.payload IS 'The message.';
COMMENT ON COLUMN outbox.created_at IS 'When it was stored.';
COMMENT ON TABLE outbox_ends IS 'Last outbox position of each organisation bucket. Writers hold the row lock to the commit.';
COMMENT ON COLUMN outbox_handed.ordinal IS 'The last message''s ordinal.';
COMMENT ON COLUMN feed.org_id IS 'The organisation.';
COMMENT ON COLUMN feed.number IS 'From 1, without gaps; assigned under the lock of feed_ends.';
COMMENT ON COLUMN feed.message_id IS 'The message.';
COMMENT ON COLUMN feed.created_at IS 'Same as outbox.created_at.';
COMMENT ON COLUMN feed.earlier_xid IS 'Its place in the previous numbering, for cursors of that time.';
COMMENT ON COLUMN feed.earlier_ordinal IS 'Its ordinal in the previous numbering.';
COMMENT ON COLUMN feed_ends.org_id IS 'The organisation.';
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
COMMENT ON COLUMN deliveries.next_at IS 'When the next attempt is due.';
COMMENT ON COLUMN deliveries.tried_at IS 'When the last attempt was made.';
COMMENT ON COLUMN deliveries.status IS 'Status of the last response.';
COMMENT ON COLUMN deliveries.milliseconds IS 'Duration of the last attempt.';
COMMENT ON TABLE webhook_states IS 'Secrets and health of a webhook, besides its document.';
COMMENT ON COLUMN webhook_states.org_id IS 'The organisation.';
COMMENT ON COLUMN webhook_states.webhook_id IS 'The webhook''s id.';
COMMENT ON COLUMN webhook_states.previous_secret IS 'Also signs them for a while after a rotation.';
COMMENT ON COLUMN webhook_states.previous_until IS 'When the previous secret stops signing.';
COMMENT ON COLUMN webhook_states.failing_since IS 'Start of the current series of failures; null if the last attempt succeeded.';
COMMENT ON COLUMN webhook_states.disabled_at IS 'When it was last disabled; null if never.';
COMMENT ON COLUMN webhook_states.disabled_reason IS 'Why it was disabled.';
COMMENT ON TABLE jobs IS 'Long-running jobs and their progress.';
COMMENT ON COLUMN jobs.job_id IS 'The job''s id.';
COMMENT ON COLUMN jobs.org_id IS 'The organisation.';
COMMENT ON COLUMN jobs.lines IS 'Lines processed so far; a resumed job continues here.';
COMMENT ON COLUMN jobs.accepted IS 'Lines accepted.';
COMMENT ON COLUMN jobs.refused IS 'Lines rejected.';
COMMENT ON COLUMN jobs.begun_at IS 'When it started.';
COMMENT ON COLUMN jobs.begun_by IS 'Who started it.';
COMMENT ON COLUMN jobs.moved_at IS 'When it last made progress.';
COMMENT ON COLUMN jobs.result IS 'The result.';
COMMENT ON TABLE importing_members IS 'Members whose history is being imported. Until the job ends, or has made no progress for an hour, no timer of theirs runs.';
COMMENT ON COLUMN importing_members.member_id IS 'The member.';
COMMENT ON COLUMN importing_members.job_id IS 'The import job.';
COMMENT ON TABLE job_errors IS 'Rejected lines of jobs, with the reason.';
COMMENT ON COLUMN job_errors.job_id IS 'The job.';
COMMENT ON COLUMN job_errors.line IS 'The line number, from 1.';
COMMENT ON COLUMN job_errors.message IS 'Why it was rejected.';
COMMENT ON COLUMN job_errors.fields IS 'The fields with errors.';
COMMENT ON TABLE suspects IS 'What a process was working on when it crashed or hung. It is retried alone, a limited number of times.';
COMMENT ON COLUMN suspects.suspect_id IS 'The event, or an id derived from what else it was.';
COMMENT ON COLUMN suspects.kind IS 'event, tick (a member''s timers), programme, document or message.';
COMMENT ON COLUMN suspects.org_id IS 'The organisation, if known.';
COMMENT ON COLUMN suspects.member_id IS 'The member, for a tick.';
COMMENT ON COLUMN suspects.tries IS 'How often a process crashed or hung on it. From 2 on it is not tried again.';
COMMENT ON COLUMN suspects.noted_at IS 'When it was last recorded.';
