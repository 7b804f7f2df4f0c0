-- name: origins
-- The origins of web pages that organisations have settled, one list each.
SELECT DISTINCT doc #>> '{cors,origins}' AS origins FROM documents
WHERE kind = 'settings' AND doc #>> '{cors,origins}' IS NOT NULL;
