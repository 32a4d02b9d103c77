-- All that some jobs moved or planned until an instant, if there is one, in the order in which it happened. Each transaction is one row:
-- a trade with its own gas, and apart from it the gas of approves, cancels and reverted swaps.
WITH chosen AS (
    SELECT t.*, (SELECT max(g.round) FROM gas_paid g WHERE g.trade_id = t.id) AS gas_round
    FROM trades t WHERE t.job_id = ANY ($1)
), moves AS (
    SELECT 'trade' AS kind, CASE WHEN t.status = 'EXECUTED' THEN f.filled_at ELSE COALESCE(t.executed_at, t.created_at) END AS at,
           t.job_id, t.id AS trade_id, 1 AS place, t.tx_hash, COALESCE(f.cycle, t.cycle) AS cycle, t.slot, t.side, t.reason, t.status, t.failure_kind,
           COALESCE(t.error, t.note) AS note, NULL AS purpose, t.base_amount::numeric, t.quote_amount::numeric, t.price_usd,
           f.quote_usd::numeric, f.cost_sold_usd::numeric, f.realized_usd::numeric,
           CASE WHEN t.status = 'EXECUTED' THEN g.gas_native::numeric END AS gas_native,
           CASE WHEN t.status = 'EXECUTED' THEN g.gas_usd::numeric END AS gas_usd,
           t.created_at, t.executed_at
    FROM chosen t
    LEFT JOIN fills f ON f.trade_id = t.id AND f.kind = 'fill' AND t.status = 'EXECUTED'
         AND f.round = (SELECT max(round) FROM fills WHERE trade_id = t.id)
    LEFT JOIN gas_paid g ON g.trade_id = t.id AND g.round = t.gas_round AND g.tx_hash = t.tx_hash
    UNION ALL
    SELECT 'gas', g.mined_at, t.job_id, t.id, 0, g.tx_hash, COALESCE(f.cycle, t.cycle), t.slot, t.side, t.reason, t.status, t.failure_kind,
           t.error, CASE WHEN g.success OR a.purpose = 'cancel' THEN a.purpose ELSE 'reverted ' || a.purpose END, NULL, NULL, NULL, NULL, NULL, NULL,
           g.gas_native::numeric, g.gas_usd::numeric, t.created_at, t.executed_at
    FROM chosen t
    JOIN gas_paid g ON g.trade_id = t.id AND g.round = t.gas_round
    JOIN attempts a ON a.hash = g.tx_hash
    LEFT JOIN fills f ON f.trade_id = t.id AND f.kind = 'fill' AND t.status = 'EXECUTED'
         AND f.round = (SELECT max(round) FROM fills WHERE trade_id = t.id)
    -- The gas of a trade that is open again is not known until it ends; one that then ends without gas paid none.
    WHERE (t.status = 'FAILED' AND t.gas_usd > 0) OR (t.status = 'EXECUTED' AND g.tx_hash <> t.tx_hash)
    UNION ALL
    SELECT a.kind, a.created_at, a.job_id, NULL, 2, NULL, a.cycle, NULL, NULL, NULL, NULL, NULL,
           a.note, NULL, abs(a.token_delta), abs(a.quote_delta), NULL, abs(a.cost_delta::numeric), NULL, NULL, NULL, NULL, a.created_at, NULL
    FROM adjustments a WHERE a.job_id = ANY ($1)
)
SELECT kind AS "kind!", at AS "at!", job_id AS "job_id!", trade_id, tx_hash, cycle AS "cycle!", slot, side, reason, status,
       failure_kind, note, purpose, base_amount::text AS base_amount, quote_amount::text AS quote_amount, price_usd, quote_usd,
       cost_sold_usd, realized_usd, gas_native::text AS gas_native, gas_usd, created_at AS "created_at!", executed_at
FROM moves WHERE $2::timestamptz IS NULL OR at < $2
ORDER BY at, job_id, trade_id NULLS LAST, place, tx_hash
