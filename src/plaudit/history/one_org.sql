-- name: only_org
-- Restrict the following statements of this transaction to one organisation (the setting plaudit.org), by temporary views
-- that hide the tables of the same names. Data that belongs to no organisation is empty in them.
DO $views$
DECLARE
    t record;
    narrowed text;
BEGIN
    FOR t IN
        SELECT relname AS name, current_schema() AS schema, bool_or(attname = 'org_id') AS of_org,
            bool_or(attname = 'member_id') AS of_member, bool_or(attname = 'bucket') AS of_bucket
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
        GROUP BY relname
    LOOP
        narrowed := CASE
            WHEN t.of_org THEN format('org_id = %L', current_setting('plaudit.org'))
            WHEN t.of_member THEN format('EXISTS (SELECT FROM %I.members AS m WHERE (m.bucket, m.member_id) = (t.bucket,
                t.member_id) AND m.org_id = %L)', t.schema, current_setting('plaudit.org'))
            WHEN t.of_bucket AND t.name <> 'positions' THEN 'false'
        END;
        IF narrowed IS NOT NULL THEN
            EXECUTE format('CREATE TEMP VIEW %I AS SELECT tableoid, * FROM %I.%I AS t WHERE %s', t.name, t.schema, t.name,
                narrowed);
        END IF;
    END LOOP;
    -- The length of the organisation's log. Its own positions in a bucket's log are not consecutive.
    EXECUTE format('CREATE TEMP VIEW positions AS SELECT tableoid, t.bucket, (SELECT count(*) FROM event_ids AS e
        WHERE e.bucket = t.bucket) AS position FROM %I.positions AS t', current_schema());
END
$views$;

-- name: name_org
-- Set the organisation until the end of the transaction.
SELECT set_config('plaudit.org', $1, true);
