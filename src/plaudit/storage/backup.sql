-- name: count_tables
-- How many tables the database has.
SELECT count(*) FROM pg_class
WHERE relnamespace = to_regnamespace(coalesce(current_schema(), 'public')) AND relkind IN ('r', 'p');
