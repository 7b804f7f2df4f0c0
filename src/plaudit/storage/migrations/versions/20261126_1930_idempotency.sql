-- Responses that hold secrets are not kept, and the others are for the caller who got them.

ALTER TABLE idempotency_keys ADD COLUMN caller text, ADD COLUMN made text;
COMMENT ON TABLE idempotency_keys IS 'Responses to requests with an Idempotency-Key, kept for a day; none that holds a secret.';
COMMENT ON COLUMN idempotency_keys.content IS 'The response''s body; null if it holds a secret.';
COMMENT ON COLUMN idempotency_keys.caller IS 'The only caller who gets the response again: the member, or the key and its scopes.';
COMMENT ON COLUMN idempotency_keys.made IS 'The id of what was made, where the response is not stored.';

-- API keys and webhook secrets were kept in clear text. The workers delete the other old rows, in small batches.
DELETE FROM idempotency_keys
WHERE position('"apiSecret":'::bytea IN content) > 0 OR position('"secret":'::bytea IN content) > 0;
