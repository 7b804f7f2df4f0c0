-- The kinds of states are those of the mechanics, which the code registers. `plaudit verify` reports states of other kinds.

ALTER TABLE progress DROP CONSTRAINT progress_kind_check;
COMMENT ON COLUMN progress.kind IS 'The kind of document that the state belongs to: campaign, or a mechanic''s kind.';
