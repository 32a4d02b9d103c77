-- The other members of the basket of each job, one row each: jobs of the same account and quote with the same name.
SELECT me.id AS "member!", p.id AS "id!", p.status AS "status!", p.config -> 'basket' AS "rules!",
       p.token_balance::text AS "token_balance!", p.token_decimals AS "token_decimals!",
       p.quote_balance::text AS "quote_balance!", s.last_price, s.last_price_at,
       s.blocked_by IS NOT NULL AS "blocked!",
       EXISTS (SELECT FROM trades t WHERE t.job_id = p.id AND t.status IN ('PENDING', 'SUBMITTED') AND t.side = 'SELL') AS "sells!",
       EXISTS (SELECT FROM trades t WHERE t.job_id = p.id AND t.status IN ('PENDING', 'SUBMITTED'))
           OR EXISTS (SELECT FROM fill_watches w JOIN fills f ON f.id = w.fill_id WHERE f.job_id = p.id)
           OR EXISTS (SELECT FROM failure_watches w JOIN trades t ON t.id = w.trade_id WHERE t.job_id = p.id) AS "in_motion!"
FROM jobs me
JOIN jobs p ON p.realm = me.realm AND p.chain = me.chain AND p.wallet = me.wallet AND p.quote_address = me.quote_address
    AND p.id <> me.id AND p.mode = 'BASKET' AND p.archived_at IS NULL
    AND p.config -> 'basket' ->> 'name' = me.config -> 'basket' ->> 'name'
JOIN job_slots s ON s.job_id = p.id
WHERE me.id = ANY ($1::bigint[])
ORDER BY me.id, p.id
