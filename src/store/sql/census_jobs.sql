-- Jobs that need attention come first, then the oldest. Which those are is settled before anything is computed of them.
WITH listed AS MATERIALIZED (
    SELECT j.id, row_number() OVER (ORDER BY (j.status = 'ERROR') DESC, (o.job_id IS NOT NULL) DESC, j.id) AS place
    FROM jobs j
    LEFT JOIN (SELECT DISTINCT job_id FROM trades WHERE status IN ('PENDING', 'SUBMITTED')) AS o ON o.job_id = j.id
    WHERE j.archived_at IS NULL
    ORDER BY place LIMIT $1
)
SELECT j.id::text AS "id!", j.token_address::text AS "token!", j.token_symbol AS "token_symbol!", j.realm AS "realm!",
       j.chain AS "chain!",
       j.mode AS "mode!", j.status AS "status!", s.run_reason AS "run_reason?",
       s.blocked_by AS "blocked_by?",
       s.last_price::float8 AS "price?",
       extract(epoch FROM s.last_price_at)::float8 AS "price_at?",
       extract(epoch FROM s.last_slot)::float8 AS "last_slot?",
       (j.token_balance::numeric / power(10::numeric, j.token_decimals))::float8 AS "tokens!",
       j.cost_basis::float8 AS "cost!",
       (j.cost_basis::numeric * power(10::numeric, j.token_decimals) / nullif(j.token_balance::numeric, 0))::float8
           AS "average_cost?",
       j.total_accumulated::float8 AS "spent!",
       -- A sell moves its cost out of the basis and its profit into the realized sum; so does dust.
       (j.realized_pnl + j.total_accumulated - j.cost_basis
        + coalesce((SELECT sum(a.cost_delta) FROM adjustments a
                    WHERE a.job_id = j.id AND a.cycle = j.cycle AND a.kind NOT IN ('dust', 'deposit')
                      -- Quote that moves within a basket has no cost here.
                      AND a.quote_delta = 0), 0))::float8 AS "received!",
       j.realized_pnl::float8 AS "realized!",
       (j.token_balance::numeric / power(10::numeric, j.token_decimals) * s.last_price - j.cost_basis::numeric)::float8
           AS "unrealized?",
       j.gas_usd::float8 AS "gas!",
       (u.unsellable_since IS NOT NULL AND j.token_balance::numeric > 0) AS "unsellable!",
       j.config AS "config!",
       (j.quote_balance::numeric / power(10::numeric, j.quote_decimals))::float8 AS "quote_tokens!",
       j.quote_symbol AS "quote_symbol!",
       (SELECT f.quote_price_usd FROM fills f WHERE f.job_id = j.id ORDER BY f.id DESC LIMIT 1)::float8 AS "quote_price?"
FROM listed
JOIN jobs j ON j.id = listed.id
LEFT JOIN job_slots s ON s.job_id = j.id
LEFT JOIN sale_proofs u ON u.job_id = j.id
ORDER BY listed.place
