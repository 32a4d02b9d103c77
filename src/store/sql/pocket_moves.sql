-- What one cycle of a job took from its owner's pocket and brought back, in the order in which it was booked: fills that
-- still stand, failed trades that paid gas, budget, and tokens that were adopted, released or withdrawn at their cost.
SELECT kind AS "kind!", usd::numeric AS "usd!", gas_usd::numeric AS "gas_usd!"
FROM (
    SELECT f.created_at AS at, f.side AS kind, f.quote_usd AS usd, f.gas_usd
    FROM fills f
    WHERE f.job_id = $1 AND f.cycle = $2 AND f.kind = 'fill'
        AND NOT EXISTS (SELECT FROM fills r WHERE r.trade_id = f.trade_id AND r.kind = 'reversal' AND r.round = f.round)
    UNION ALL
    SELECT t.executed_at, 'FAILED', 0, t.gas_usd
    FROM trades t WHERE t.job_id = $1 AND t.cycle = $2 AND t.status = 'FAILED' AND t.gas_usd > 0
    UNION ALL
    SELECT a.created_at, a.kind, abs(a.cost_delta::numeric), 0
    FROM adjustments a WHERE a.job_id = $1 AND a.cycle = $2 AND a.kind IN ('deposit', 'adopt', 'withdraw', 'release')
) moves
ORDER BY at
