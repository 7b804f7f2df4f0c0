-- name: finished
-- Active campaigns and competitions that have ended by their organisation's clock. A competition first waits for late
-- events, and for its prizes to be paid.
SELECT documents.org_id, kind, id, version FROM documents JOIN orgs USING (org_id)
LEFT JOIN competition_results ON competition_results.org_id = documents.org_id AND competition_id = id
WHERE doc ->> 'status' = 'active' AND (doc ->> 'endDate')::timestamptz <= now() + clock_offset AND (
    kind = 'campaign' OR kind = 'competition'
    AND (doc ->> 'endDate')::timestamptz + (doc ->> 'settleAfterMinutes')::int * interval '1 minute' <= now() + clock_offset
    AND (settled_at IS NOT NULL OR jsonb_array_length(doc -> 'prizes') = 0 OR coalesce(doc -> 'leagues', 'null') <> 'null')
    AND NOT EXISTS (
        SELECT FROM inbox WHERE inbox.org_id = documents.org_id AND occurred_at < (doc ->> 'endDate')::timestamptz
    )
)
LIMIT 100;
