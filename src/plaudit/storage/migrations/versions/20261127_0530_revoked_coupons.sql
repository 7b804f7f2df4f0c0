-- Coupons that were revoked stay; codes are found in whichever case they are typed.
-- Those revoked before are gone, with whom they had been issued to: their codes stay expired.

ALTER TABLE coupons ADD COLUMN revoked_at timestamptz;
COMMENT ON COLUMN coupons.revoked_at IS 'When it was withdrawn, by the time of the event; null for one that is valid.';

ALTER TABLE codes DROP CONSTRAINT codes_state_check;
ALTER TABLE codes ADD CONSTRAINT codes_state_check CHECK (state IN ('available', 'allocated', 'redeemed', 'revoked', 'expired'));
ALTER TABLE codes DROP CONSTRAINT codes_check;
ALTER TABLE codes ADD CONSTRAINT codes_check CHECK ((state IN ('allocated', 'redeemed', 'revoked')) = (coupon_id IS NOT NULL));
COMMENT ON COLUMN codes.state IS 'available -> allocated (in a member''s hands) -> redeemed (used) or revoked (withdrawn); or available -> expired.';
COMMENT ON COLUMN codes.bucket IS 'The bucket of the member who has it, or had it until it was revoked.';
COMMENT ON COLUMN codes.member_id IS 'That member.';
-- A code as somebody has typed it, in whichever case.
CREATE INDEX codes_but_for_case ON codes (org_id, pool_id, lower(code), ordinal);
