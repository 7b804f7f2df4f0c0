-- Deliveries are taken by turns of organisations and lanes; conditions are looked at by themselves; a webhook that is given
-- up says why.

SET LOCAL statement_timeout = 0;
ALTER TABLE deliveries
    ADD COLUMN lane text NOT NULL GENERATED ALWAYS AS (CASE WHEN starts_with(webhook_id, 'push:') THEN 'push:' ELSE webhook_id END) STORED,
    ADD COLUMN judging smallint;
COMMENT ON COLUMN deliveries.lane IS 'With what it shares its places: those of its webhook, or all Web Push of its organisation.';
COMMENT ON COLUMN deliveries.judging IS 'How often it was begun to look at the conditions; null when that is done, or there are none.';
DROP INDEX deliveries_due;
-- What is due, by lane.
CREATE INDEX deliveries_due ON deliveries (org_id, lane, next_at, number) WHERE state = 'waiting' AND judging IS NULL;
-- Whose conditions are to be looked at?
CREATE INDEX deliveries_to_judge ON deliveries (org_id, next_at, number) WHERE state = 'waiting' AND judging IS NOT NULL;

ALTER TABLE webhook_states ADD COLUMN disabled_reason text;
COMMENT ON COLUMN webhook_states.disabled_at IS 'When it was given up last; null if it never was.';
COMMENT ON COLUMN webhook_states.disabled_reason IS 'Why.';
