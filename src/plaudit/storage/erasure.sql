-- name: lock_bucket
-- Lock the member's bucket, so that nothing is decided for the member meanwhile.
SELECT position FROM positions WHERE bucket = $1 FOR UPDATE;

-- name: merged_into
-- The users who were merged into a member.
SELECT user_id FROM members WHERE org_id = $1 AND merged_into = $2 ORDER BY user_id;

-- name: lock_buckets
-- Lock several buckets, in the same order as every other transaction.
SELECT FROM positions WHERE bucket = ANY($1::smallint[]) ORDER BY bucket FOR UPDATE;

-- name: member_exists
-- Whether a member exists.
SELECT EXISTS (SELECT FROM members WHERE bucket = $1 AND member_id = $2);

-- name: rename_member
-- Delete the profile; the row stays under the pseudonym.
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
-- Web Push subscriptions.
DELETE FROM push_subscriptions WHERE bucket = $1 AND member_id = $2;

-- name: forget_inbox
-- Actions that are not decided yet.
DELETE FROM inbox WHERE bucket = $1 AND member_id = $2;

-- name: forget_failed
-- Events that failed.
DELETE FROM failed_events WHERE bucket = $1 AND member_id = $2;

-- name: rename_balances
-- Balances.
UPDATE balances SET member_id = $3 WHERE bucket = $1 AND member_id = $2;

-- name: rename_progress
-- Progress in campaigns and mechanics; that in segments was deleted before.
UPDATE progress SET member_id = $3 WHERE bucket = $1 AND member_id = $2;

-- name: leave_segments
-- Memberships in segments, and the tallies that segments keep.
WITH left_now AS (DELETE FROM segment_members WHERE bucket = $1 AND member_id = $2)
DELETE FROM progress WHERE bucket = $1 AND member_id = $2 AND kind = 'segment';

-- name: rename_holdings
-- Products.
UPDATE holdings SET member_id = $3 WHERE bucket = $1 AND member_id = $2;

-- name: leave_draws
-- Entries in competitions: an erased member wins no draw.
DELETE FROM entries WHERE bucket = $1 AND member_id = $2;

-- name: leave_boards
-- Standings: an erased member has no rank and wins no prize. `announce_erasure` makes processes rebuild leaderboards.
DELETE FROM standings WHERE bucket = $1 AND member_id = $2;

-- name: rename_coupons
-- Coupons. Their codes stay issued.
UPDATE coupons SET member_id = $3 WHERE bucket = $1 AND member_id = $2;

-- name: rename_codes
-- The codes issued to the member.
UPDATE codes SET member_id = $4 WHERE org_id = $1 AND bucket = $2 AND member_id = $3;

-- name: rename_transactions
-- The ledger: amounts stay, reasons are deleted.
UPDATE transactions SET member_id = $3, user_id = $4, reason = NULL WHERE bucket = $1 AND member_id = $2;

-- name: rename_events
-- The log: events stay, without their keys, payloads and outcomes.
UPDATE events SET member_id = $3, user_id = $4, event_key = NULL, payload = '{"data":{},"metadata":{}}', outcome = '{}'
WHERE bucket = $1 AND member_id = $2;

-- name: rename_event_ids
-- The ids of the log: an old event that is sent again is still recognised as a duplicate.
UPDATE event_ids SET member_id = $3, fingerprint = NULL WHERE bucket = $1 AND member_id = $2;

-- name: forget_outbox
-- Messages about the member.
DELETE FROM outbox WHERE bucket = $1 AND member_id = $2;

-- name: forget_deliveries
-- The deliveries of messages about the member.
DELETE FROM deliveries WHERE org_id = $1 AND message_id IN (
    SELECT message_id FROM outbox WHERE bucket = $2 AND member_id = $3
);

-- name: forget_responses
-- Stored responses that name the member, or belong to the member's own requests.
DELETE FROM idempotency_keys
WHERE org_id = $1 AND (position(convert_to($2, 'UTF8') IN content) > 0 OR starts_with(key, $3::uuid::text || E'\n'));

-- name: rename_winners
-- The member's name among winners ($2 and $3 are JSON texts).
UPDATE competition_results SET result = replace(result::text, $2, $3)::json
WHERE org_id = $1 AND position($2 IN result::text) > 0;

-- name: rename_rounds
-- The member's name in the results of league rounds.
UPDATE league_rounds SET result = replace(result::text, $2, $3)::json
WHERE org_id = $1 AND position($2 IN result::text) > 0;

-- name: rename_mentions
-- The member's name in other members' events: transfers, referrals, merges.
UPDATE events SET payload = replace(payload::text, $2, $3)::json
WHERE org_id = $1 AND kind IN ('transfer', 'receipt', 'registration', 'referral', 'merge', 'takeover')
    AND position($2 IN payload::text) > 0;

-- name: rename_waiting_mentions
-- The member's name in other members' events that are not decided yet.
UPDATE inbox SET payload = replace(payload::text, $2, $3)::json
WHERE org_id = $1 AND kind IN ('receipt', 'referral') AND position($2 IN payload::text) > 0;

-- name: rename_failed_mentions
-- The member's name in other members' failed events.
UPDATE failed_events SET payload = replace(payload::text, $2, $3)::json
WHERE org_id = $1 AND kind IN ('transfer', 'receipt', 'registration', 'referral') AND position($2 IN payload::text) > 0;

-- name: rename_referrer
-- The member's name as the referrer of others.
UPDATE members SET attributes = replace(attributes::text, $2, $3)::json
WHERE org_id = $1 AND to_json(attributes ->> 'referredBy')::text = $2;

-- name: leave_lists
-- The member's id in the lists of static segments.
UPDATE documents SET doc = jsonb_set(doc, '{userIds}', (doc -> 'userIds') - $2)
WHERE org_id = $1 AND kind = 'segment' AND doc -> 'userIds' ? $2;

-- name: leave_old_lists
-- The member's id in earlier versions of static segments.
UPDATE document_versions SET doc = jsonb_set(doc, '{userIds}', (doc -> 'userIds') - $2)
WHERE org_id = $1 AND kind = 'segment' AND doc -> 'userIds' ? $2;

-- name: leave_exclusions
-- The member's id in competitions' lists of excluded members.
UPDATE documents SET doc = jsonb_set(doc, '{excludedUserIds}', (doc -> 'excludedUserIds') - $2)
WHERE org_id = $1 AND kind = 'competition' AND doc -> 'excludedUserIds' ? $2;

-- name: leave_old_exclusions
-- The member's id in earlier versions of competitions.
UPDATE document_versions SET doc = jsonb_set(doc, '{excludedUserIds}', (doc -> 'excludedUserIds') - $2)
WHERE org_id = $1 AND kind = 'competition' AND doc -> 'excludedUserIds' ? $2;

-- name: names_of
-- The member's identities: e-mail address, phone number and the like.
SELECT value FROM identities WHERE bucket = $1 AND member_id = $2;

-- name: forget_job_errors
-- Errors of import lines that name the member ($2 is a pattern of their names).
UPDATE job_errors SET message = 'The reason was erased with the member that it named', fields = '[]'
FROM jobs WHERE jobs.job_id = job_errors.job_id AND org_id = $1 AND (message ~* $2 OR fields::text ~* $2);

-- name: log_id
-- Store the id of the event that records the erasure.
INSERT INTO event_ids (event_id, bucket, member_id, position, decided_at) VALUES ($1, $2, $3, $4, $5);

-- name: log_erasure
-- Store the event that records the erasure, under the pseudonym.
INSERT INTO events (
    bucket, position, event_id, org_id, member_id, user_id, kind, trigger, occurred_at, received_at, decided_at, source,
    state, program_version, payload, outcome
)
SELECT $1, $2, $3, org_id, $5, $6, 'erasure', 'user.erased', $7::timestamptz + clock_offset, $7, $7, 'api', 'processed', program_version,
    '{"data":{},"metadata":{}}', '{}' FROM orgs WHERE org_id = $4;

-- name: move_position
-- Advance the bucket's position by that event.
UPDATE positions SET position = $2, moved_at = $3 WHERE bucket = $1;

-- name: announce_erasure
-- Notify every process to forget the member's name.
UPDATE orgs SET program_version = program_version + 1 WHERE org_id = $1
RETURNING pg_notify('plaudit_programs', org_id::text), pg_notify('plaudit_erased', org_id::text);
