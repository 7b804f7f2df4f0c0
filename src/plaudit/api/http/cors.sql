-- name: origins
-- Return the origins in the settings of organisations, one list per organisation.
SELECT DISTINCT doc #>> '{cors,origins}' AS origins FROM documents
WHERE kind = 'settings' AND doc #>> '{cors,origins}' IS NOT NULL;
