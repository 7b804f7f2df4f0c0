-- name: add_totals
-- Add a batch's sums to the daily totals. Connections mostly write different stripes, so that lanes do not wait for each
-- other.
INSERT INTO daily_totals AS t (
    org_id, day, metric, cause_kind, cause_id, credits, debits, credit_count, debit_count, stripe
)
SELECT *, pg_backend_pid() % 64 FROM unnest(
    $1::uuid[], $2::date[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::numeric[], $8::bigint[], $9::bigint[]
)
ON CONFLICT (org_id, day, metric, cause_kind, cause_id, stripe) DO UPDATE SET credits = t.credits + excluded.credits,
    debits = t.debits + excluded.debits, credit_count = t.credit_count + excluded.credit_count,
    debit_count = t.debit_count + excluded.debit_count;
