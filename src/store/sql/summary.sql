-- What happened from one instant until before another, by realm, live first: the sums of `pnl`, and how jobs are now.
WITH filled AS (
    SELECT j.realm, count(*) AS trades, sum(f.realized_usd::numeric) AS realized
    FROM fills f JOIN trades t ON t.id = f.trade_id JOIN jobs j ON j.id = f.job_id
    WHERE f.kind = 'fill' AND f.filled_at >= $1 AND f.filled_at < $2 AND t.status = 'EXECUTED'
      AND f.round = (SELECT max(l.round) FROM fills l WHERE l.trade_id = f.trade_id)
    GROUP BY 1
), dust AS (
    SELECT j.realm, sum(abs(a.cost_delta::numeric)) AS lost
    FROM adjustments a JOIN jobs j ON j.id = a.job_id
    WHERE a.kind = 'dust' AND a.created_at >= $1 AND a.created_at < $2 GROUP BY 1
), paid AS (
    SELECT realm, sum(gas) AS gas FROM (
        SELECT j.realm, g.gas_usd::numeric AS gas
        FROM gas_paid g JOIN trades t ON t.id = g.trade_id JOIN jobs j ON j.id = t.job_id
        WHERE g.mined_at >= $1 AND g.mined_at < $2 AND t.status IN ('EXECUTED', 'FAILED')
          AND g.round = (SELECT max(l.round) FROM gas_paid l WHERE l.trade_id = g.trade_id)
        UNION ALL
        SELECT realm, gas_usd::numeric FROM withdrawals
        WHERE executed_at >= $1 AND executed_at < $2 AND status <> 'SUBMITTED') AS each_one
    GROUP BY 1
), failed AS (
    SELECT j.realm, count(*) AS trades FROM trades t JOIN jobs j ON j.id = t.job_id
    WHERE t.status = 'FAILED' AND t.executed_at >= $1 AND t.executed_at < $2 GROUP BY 1
), taken AS (
    SELECT realm, sum(value_usd::numeric) AS usd FROM withdrawals
    WHERE executed_at >= $1 AND executed_at < $2 AND status = 'EXECUTED' GROUP BY 1
), now_ AS (
    SELECT realm, count(*) FILTER (WHERE status IN ('RUNNING', 'LIQUIDATING') AND archived_at IS NULL) AS running,
           count(*) FILTER (WHERE status = 'ERROR' AND archived_at IS NULL) AS error
    FROM jobs GROUP BY 1
)
SELECT n.realm AS "realm!", coalesce(f.trades, 0) AS "trades!", coalesce(x.trades, 0) AS "failed!", n.running AS "running!",
       n.error AS "error!", coalesce(f.realized, 0) - coalesce(d.lost, 0) AS "realized!", coalesce(p.gas, 0) AS "gas!",
       coalesce(f.realized, 0) - coalesce(d.lost, 0) - coalesce(p.gas, 0) AS "net!", coalesce(w.usd, 0) AS "taken_out!"
FROM now_ n LEFT JOIN filled f USING (realm) LEFT JOIN dust d USING (realm) LEFT JOIN paid p USING (realm)
LEFT JOIN failed x USING (realm) LEFT JOIN taken w USING (realm)
ORDER BY n.realm
