-- What a process died of or hung on is remembered, so that it is not tried for ever.

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
