-- Members may go on as others.

ALTER TABLE members ADD COLUMN merged_into text;
COMMENT ON COLUMN members.merged_into IS 'The user_id of the member whom this one goes on as, and who has everything now; null for nobody.';
-- Who goes on as a member? is asked when the member is erased or exported.
CREATE INDEX members_merged ON members (org_id, merged_into) WHERE merged_into IS NOT NULL;
