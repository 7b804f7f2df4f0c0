-- name: only_org
-- Let the statements that follow in this transaction see one organisation only (the setting plaudit.org): views of the
-- same names stand before the tables. What belongs to no organisation is empty then.
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
    -- How long its log is; its places in the logs of the buckets are not one after the other.
    EXECUTE format('CREATE TEMP VIEW positions AS SELECT tableoid, t.bucket, (SELECT count(*) FROM event_ids AS e
        WHERE e.bucket = t.bucket) AS position FROM %I.positions AS t', current_schema());
END
$views$;

-- name: name_org
-- Say which organisation is meant, until the end of the transaction.
SELECT set_config('plaudit.org', $1, true);
