-- As ledger_holes.sql; these read whole tables.
SELECT what, missing FROM (
    SELECT 'fills of executed trades' AS what,
           (SELECT count(*) FROM trades t
            WHERE t.status = 'EXECUTED' AND NOT EXISTS (SELECT FROM fills f WHERE f.trade_id = t.id)) AS missing
    UNION ALL
    SELECT 'trades of fills',
           (SELECT count(*) FROM fills f WHERE NOT EXISTS (SELECT FROM trades t WHERE t.id = f.trade_id))
    UNION ALL
    SELECT 'jobs of trades',
           (SELECT count(*) FROM trades t WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.id = t.job_id))
    UNION ALL
    SELECT 'transactions of submitted trades',
           (SELECT count(*) FROM trades t
            WHERE t.status = 'SUBMITTED' AND NOT EXISTS (SELECT FROM transactions x WHERE x.trade_id = t.id))
    UNION ALL
    SELECT 'transactions of withdrawals',
           (SELECT count(*) FROM withdrawals w WHERE NOT EXISTS (SELECT FROM transactions x WHERE x.withdrawal_id = w.id))
    UNION ALL
    SELECT 'signers of transactions',
           (SELECT count(*) FROM (SELECT DISTINCT realm, chain, signer FROM transactions) x
            WHERE NOT EXISTS (SELECT FROM signers s WHERE (s.realm, s.chain, s.address) = (x.realm, x.chain, x.signer)))
    UNION ALL
    SELECT 'fills or adjustments of jobs that hold tokens',
           (SELECT count(*) FROM jobs j
            WHERE j.token_balance > 0 AND NOT EXISTS (SELECT FROM fills f WHERE f.job_id = j.id)
              AND NOT EXISTS (SELECT FROM adjustments a WHERE a.job_id = j.id))
) AS holes WHERE missing > 0
