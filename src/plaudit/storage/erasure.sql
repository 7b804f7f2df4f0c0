-- name: lock_bucket
-- Nothing is decided for the member meanwhile.
SELECT position FROM positions WHERE bucket = $1 FOR UPDATE;

-- name: merged_into
-- Who was merged into a member, and is erased with them.
SELECT user_id FROM members WHERE org_id = $1 AND merged_into = $2 ORDER BY user_id;

-- name: lock_buckets
-- The same for several, in the order in which everybody locks them.
SELECT FROM positions WHERE bucket = ANY($1::smallint[]) ORDER BY bucket FOR UPDATE;

-- name: is_there
-- Whether there is such a member.
SELECT EXISTS (SELECT FROM members WHERE bucket = $1 AND member_id = $2);

-- name: rename_member
-- The profile goes; the row stays as somebody's.
UPDATE members SET member_id = $3, user_id = $4, attributes = '{}', due_at = NULL, erased_at = $5, merged_into = NULL
WHERE bucket = $1 AND member_id = $2;

-- name: forget_identities
-- E-mail address, phone number and the like.
DELETE FROM identities WHERE bucket = $1 AND member_id = $2;

-- name: forget_consents
-- Consents.
DELETE FROM consents WHERE bucket = $1 AND member_id = $2;

-- name: forget_notifications
-- Notifications.
DELETE FROM notifications WHERE bucket = $1 AND member_id = $2;

-- name: forget_push
-- Browsers that were pushed to.
DELETE FROM push_subscriptions WHERE bucket = $1 AND member_id = $2;

-- name: forget_inbox
-- What waits to be decided.
DELETE FROM inbox WHERE bucket = $1 AND member_id = $2;

-- name: forget_failed
-- What could not be decided.
DELETE FROM failed_events WHERE bucket = $1 AND member_id = $2;

-- name: rename_balances
-- Balances.
UPDATE balances SET member_id = $3 WHERE bucket = $1 AND member_id = $2;

-- name: rename_progress
-- Progress in what is not a segment.
UPDATE progress SET member_id = $3 WHERE bucket = $1 AND member_id = $2;

-- name: leave_segments
-- Nobody is in a segment any more, and what segments counted goes with that.
WITH left_now AS (DELETE FROM segment_members WHERE bucket = $1 AND member_id = $2)
DELETE FROM progress WHERE bucket = $1 AND member_id = $2 AND kind = 'segment';

-- name: rename_holdings
-- Products.
UPDATE holdings SET member_id = $3 WHERE bucket = $1 AND member_id = $2;

-- name: leave_draws
-- Entries in competitions: whoever is erased wins no draw.
DELETE FROM entries WHERE bucket = $1 AND member_id = $2;

-- name: leave_boards
-- Places on boards: whoever is erased holds no rank, and wins no prize. Boards in memory are built anew (see `tell`).
DELETE FROM standings WHERE bucket = $1 AND member_id = $2;

-- name: rename_coupons
-- Coupons; the codes themselves stay, because they have been given out.
UPDATE coupons SET member_id = $3 WHERE bucket = $1 AND member_id = $2;

-- name: rename_codes
-- The codes in the member's hands.
UPDATE codes SET member_id = $4 WHERE org_id = $1 AND bucket = $2 AND member_id = $3;

-- name: rename_transactions
-- The ledger: amounts stay, words go.
UPDATE transactions SET member_id = $3, user_id = $4, reason = NULL WHERE bucket = $1 AND member_id = $2;

-- name: rename_events
-- The log: that something happened, not what.
UPDATE events SET member_id = $3, user_id = $4, event_key = NULL, payload = '{"data":{},"metadata":{}}', outcome = '{}'
WHERE bucket = $1 AND member_id = $2;

-- name: rename_event_ids
-- The ids of the log: an old event that is sent again is still known.
UPDATE event_ids SET member_id = $3, fingerprint = NULL WHERE bucket = $1 AND member_id = $2;

-- name: forget_outbox
-- Messages about the member.
DELETE FROM outbox WHERE bucket = $1 AND member_id = $2;

-- name: forget_deliveries
-- And their deliveries.
DELETE FROM deliveries WHERE org_id = $1 AND message_id IN (
    SELECT message_id FROM outbox WHERE bucket = $2 AND member_id = $3
);

-- name: forget_responses
-- Delete stored responses that name the member, or that the member got.
DELETE FROM idempotency_keys
WHERE org_id = $1 AND (position(convert_to($2, 'UTF8') IN content) > 0 OR starts_with(key, $3::uuid::text || E'\n'));

-- name: rename_winners
-- Winners by name ($2 and $3 as JSON texts).
UPDATE competition_results SET result = replace(result::text, $2, $3)::json
WHERE org_id = $1 AND position($2 IN result::text) > 0;

-- name: rename_rounds
-- The same in the rounds of leagues.
UPDATE league_rounds SET result = replace(result::text, $2, $3)::json
WHERE org_id = $1 AND position($2 IN result::text) > 0;

-- name: rename_mentions
-- What was done for others on the member's account, or by others for the member: transfers, referrals.
UPDATE events SET payload = replace(payload::text, $2, $3)::json
WHERE org_id = $1 AND kind IN ('transfer', 'receipt', 'registration', 'referral', 'merge', 'takeover')
    AND position($2 IN payload::text) > 0;

-- name: rename_waiting_mentions
-- The same in what waits to be decided for others.
UPDATE inbox SET payload = replace(payload::text, $2, $3)::json
WHERE org_id = $1 AND kind IN ('receipt', 'referral') AND position($2 IN payload::text) > 0;

-- name: rename_failed_mentions
-- And in what could not be decided for them.
UPDATE failed_events SET payload = replace(payload::text, $2, $3)::json
WHERE org_id = $1 AND kind IN ('transfer', 'receipt', 'registration', 'referral') AND position($2 IN payload::text) > 0;

-- name: rename_referrer
-- Whom others were referred by.
UPDATE members SET attributes = replace(attributes::text, $2, $3)::json
WHERE org_id = $1 AND to_json(attributes ->> 'referredBy')::text = $2;

-- name: leave_lists
-- Lists of user ids in static segments.
UPDATE documents SET doc = jsonb_set(doc, '{userIds}', (doc -> 'userIds') - $2)
WHERE org_id = $1 AND kind = 'segment' AND doc -> 'userIds' ? $2;

-- name: leave_old_lists
-- And in their versions.
UPDATE document_versions SET doc = jsonb_set(doc, '{userIds}', (doc -> 'userIds') - $2)
WHERE org_id = $1 AND kind = 'segment' AND doc -> 'userIds' ? $2;

-- name: leave_exclusions
-- Lists of those whom competitions exclude.
UPDATE documents SET doc = jsonb_set(doc, '{excludedUserIds}', (doc -> 'excludedUserIds') - $2)
WHERE org_id = $1 AND kind = 'competition' AND doc -> 'excludedUserIds' ? $2;

-- name: leave_old_exclusions
-- And in their versions.
UPDATE document_versions SET doc = jsonb_set(doc, '{excludedUserIds}', (doc -> 'excludedUserIds') - $2)
WHERE org_id = $1 AND kind = 'competition' AND doc -> 'excludedUserIds' ? $2;

-- name: names_of
-- What else the member is called: e-mail address, phone number and the like.
SELECT value FROM identities WHERE bucket = $1 AND member_id = $2;

-- name: forget_job_errors
-- Why lines of imports were refused, where that names the member ($2 is a pattern of their names).
UPDATE job_errors SET message = 'The reason was erased with the member that it named', fields = '[]'
FROM jobs WHERE jobs.job_id = job_errors.job_id AND org_id = $1 AND (message ~* $2 OR fields::text ~* $2);

-- name: log_id
-- The id of the entry that says that it was done.
INSERT INTO event_ids (event_id, bucket, member_id, position, decided_at) VALUES ($1, $2, $3, $4, $5);

-- name: log_erasure
-- The entry itself, of nobody.
INSERT INTO events (
    bucket, position, event_id, org_id, member_id, user_id, kind, trigger, occurred_at, received_at, decided_at, source,
    state, program_version, payload, outcome
)
SELECT $1, $2, $3, org_id, $5, $6, 'erasure', 'user.erased', $7::timestamptz + clock_offset, $7, $7, 'api', 'processed', program_version,
    '{"data":{},"metadata":{}}', '{}' FROM orgs WHERE org_id = $4;

-- name: move_position
-- The log is one longer.
UPDATE positions SET position = $2, moved_at = $3 WHERE bucket = $1;

-- name: tell
-- Whoever has the name in memory forgets it.
UPDATE orgs SET program_version = program_version + 1 WHERE org_id = $1
RETURNING pg_notify('plaudit_programs', org_id::text), pg_notify('plaudit_erased', org_id::text);
