-- name: count_tables
-- Count the tables of the database.
SELECT count(*) FROM pg_class
WHERE relnamespace = to_regnamespace(coalesce(current_schema(), 'public')) AND relkind IN ('r', 'p');
