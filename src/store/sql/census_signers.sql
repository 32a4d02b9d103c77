SELECT s.realm AS "realm!", s.chain AS "chain!", s.address::text AS "wallet!", s.halted_at IS NOT NULL AS "halted!",
       coalesce(o.transactions, 0) AS "open_transactions!",
       coalesce(s.next_nonce - o.lowest_nonce, 0) AS "nonce_gap!",
       s.next_nonce AS "next_nonce!",
       (b.amount / power(10::numeric, $1::int))::float8 AS native_balance
FROM signers s
LEFT JOIN (
    SELECT x.realm, x.chain, x.signer, count(*) AS transactions, min(x.nonce) AS lowest_nonce
    FROM (SELECT x.* FROM trades t JOIN transactions x ON x.trade_id = t.id WHERE t.status = 'SUBMITTED'
          UNION ALL
          SELECT x.* FROM withdrawals w JOIN transactions x ON x.withdrawal_id = w.id WHERE w.status = 'SUBMITTED') x
    GROUP BY 1, 2, 3
) o ON (o.realm, o.chain, o.signer) = (s.realm, s.chain, s.address)
LEFT JOIN paper.balances b ON s.realm = 'paper' AND b.asset = 'native' AND (b.chain, b.address) = (s.chain, s.address)
