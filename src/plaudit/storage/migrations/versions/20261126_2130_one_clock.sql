-- When members were last active themselves; who is being imported; when clocks of test organisations were moved.

ALTER TABLE members ADD COLUMN active_at timestamptz;
COMMENT ON COLUMN members.present IS 'The time of the latest event of any kind, also a timer: how far the member has come.';
COMMENT ON COLUMN members.active_at IS 'The time of the latest event that the member caused; null for who has done nothing yet.';

-- As deciding would have noted it (core/event.py, is_own). Of what was rejected, a refused command was the member's doing;
-- an action that nobody took in, or an event that was passed on, was not.
UPDATE members AS m SET active_at = e.at FROM (
    SELECT bucket, member_id, max(occurred_at) AS at FROM events
    WHERE (
        kind IN ('action', 'enrolment', 'registration', 'redemption', 'transfer') OR source = 'member' OR trigger = 'check_in'
    ) AND (state = 'processed' OR (kind <> 'action' AND outcome::text NOT LIKE '%"member_merged"%'))
    GROUP BY bucket, member_id
) AS e WHERE (m.bucket, m.member_id) = (e.bucket, e.member_id);

CREATE TABLE clock_moves (
    org_id uuid NOT NULL REFERENCES orgs,
    moved_at timestamptz NOT NULL,
    offset_before interval NOT NULL,
    offset_after interval NOT NULL,
    PRIMARY KEY (org_id, moved_at)
);
COMMENT ON TABLE clock_moves IS 'When clocks of test organisations were moved: what was written down by the wall clock is shown by theirs.';
COMMENT ON COLUMN clock_moves.org_id IS 'Whose clock.';
COMMENT ON COLUMN clock_moves.moved_at IS 'When, by the wall clock.';
COMMENT ON COLUMN clock_moves.offset_before IS 'How far it was ahead until then.';
COMMENT ON COLUMN clock_moves.offset_after IS 'How far it has been ahead since.';

ALTER TABLE jobs DROP CONSTRAINT jobs_state_check;
ALTER TABLE jobs ADD CONSTRAINT jobs_state_check CHECK (state IN ('running', 'finished', 'failed', 'cancelled'));
COMMENT ON COLUMN jobs.state IS 'running, finished, failed or cancelled.';

CREATE TABLE importing_members (
    bucket smallint NOT NULL,
    member_id uuid NOT NULL,
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    PRIMARY KEY (bucket, member_id, job_id)
);
COMMENT ON TABLE importing_members IS 'Members whose history an import is bringing in: until it ends, or has not moved for an hour, nothing falls due for them by itself.';
COMMENT ON COLUMN importing_members.bucket IS 'The member''s bucket.';
COMMENT ON COLUMN importing_members.member_id IS 'Who.';
COMMENT ON COLUMN importing_members.job_id IS 'The import.';
-- Whom does an import let go of when it ends?
CREATE INDEX importing_members_of ON importing_members (job_id);

-- The names that members are found by are fields of their profiles, to whatever looks at these.
UPDATE members AS m SET attributes = (m.attributes::jsonb || i.names)::json FROM (
    SELECT bucket, member_id, jsonb_object_agg(kind, value) AS names FROM identities GROUP BY bucket, member_id
) AS i WHERE (m.bucket, m.member_id) = (i.bucket, i.member_id);
