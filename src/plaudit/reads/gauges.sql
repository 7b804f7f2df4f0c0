-- name: waiting
-- The age of the oldest waiting event of each bucket that has any.
SELECT bucket, extract(epoch FROM now() - min(received_at)) AS value FROM inbox GROUP BY bucket ORDER BY bucket;

-- name: empty_pools
-- Active pools without an available code.
SELECT count(*) AS value FROM documents AS d
WHERE kind = 'code_pool' AND doc ->> 'status' = 'active' AND NOT EXISTS (
    SELECT FROM codes WHERE codes.org_id = d.org_id AND pool_id = d.id AND state = 'available'
);

-- name: sold_out
-- Active products whose stock is used up.
SELECT count(*) AS value
FROM documents AS d JOIN claimed AS c ON c.org_id = d.org_id AND c.kind = 'stock' AND c.key = d.id
WHERE d.kind = 'product' AND doc ->> 'status' = 'active' AND (doc ->> 'allocatedStock')::bigint <= quantity;

-- name: codes
-- The number of unissued codes of each pool.
SELECT d.org_id AS org, d.id AS pool, (
    SELECT count(*) FROM codes WHERE codes.org_id = d.org_id AND pool_id = d.id AND state = 'available'
) AS value FROM documents AS d WHERE kind = 'code_pool' ORDER BY org, pool;

-- name: stock
-- The remaining stock of each product that has limited stock.
SELECT d.org_id AS org, d.id AS product, (doc ->> 'allocatedStock')::bigint - coalesce(quantity, 0) AS value
FROM documents AS d LEFT JOIN claimed AS c ON c.org_id = d.org_id AND c.kind = 'stock' AND c.key = d.id
WHERE d.kind = 'product' AND doc ->> 'allocatedStock' IS NOT NULL ORDER BY org, product;

-- name: deliveries
-- The numbers of waiting and dead deliveries.
SELECT state, count(*) AS value FROM deliveries WHERE state <> 'delivered' GROUP BY state ORDER BY state;
