-- What happened to jobs from an instant on, the newest of it, in the order of time. A run of equal holds stands where it
-- began. The newest events alone are searched: nothing orders them by time but their numbers.
WITH chosen AS (
    SELECT id, realm, chain, token_symbol, token_decimals, quote_symbol, quote_decimals, config #>> '{schedule,timezone}' AS timezone
    FROM jobs WHERE $1::bigint[] IS NULL OR id = ANY ($1)
), found AS (
    SELECT t.outcome AS kind, t.id, t.first_slot AS at, c.id AS job_id, t.reason AS name, t.detail,
           jsonb_build_object('slots', t.count, 'last_slot', t.last_slot, 'price_usd', t.price_usd::text, 'trade', t.trade_id)
               AS fields
    FROM chosen c CROSS JOIN LATERAL (
        SELECT * FROM ticks WHERE job_id = c.id AND first_slot >= $2 ORDER BY first_slot DESC LIMIT $3) t
    UNION ALL
    SELECT 'end', t.id, t.executed_at, c.id, t.status, t.error,
           jsonb_build_object('trade', t.id, 'symbol', c.token_symbol, 'decimals', c.token_decimals, 'quote', c.quote_symbol,
               'quote_decimals', c.quote_decimals, 'quote_usd', (SELECT f.quote_usd::text FROM fills f WHERE f.trade_id = t.id
                   AND f.kind = 'fill' ORDER BY f.round DESC LIMIT 1), 'side', t.side, 'reason', t.reason, 'base_amount', t.base_amount::text,
               'quote_amount', t.quote_amount::text, 'price_usd', t.price_usd::text, 'gas_usd', t.gas_usd::text,
               'tx_hash', '0x' || encode(t.tx_hash, 'hex'))
    FROM chosen c CROSS JOIN LATERAL (
        SELECT * FROM trades WHERE job_id = c.id AND executed_at >= $2 ORDER BY created_at DESC LIMIT $3) t
    UNION ALL
    SELECT 'order', e.id, e.at, c.id, e.action, 'by ' || e.actor, jsonb_build_object('actor', e.actor)
    FROM chosen c CROSS JOIN LATERAL (
        SELECT * FROM job_events WHERE job_id = c.id AND at >= $2 ORDER BY at DESC LIMIT $3) e
    UNION ALL
    SELECT 'event', o.id, o.created_at, o.job_id, o.event, coalesce(o.payload ->> 'error', o.payload ->> 'reason'), o.payload
    FROM (SELECT * FROM outbox ORDER BY id DESC LIMIT 10000) o
    WHERE o.created_at >= $2 AND o.event NOT IN ('trade.filled', 'trade.failed')
      AND ($1::bigint[] IS NULL OR o.job_id = ANY ($1))
    UNION ALL
    (SELECT 'withdrawal', w.id, w.created_at, NULL, 'SUBMITTED', NULL,
            jsonb_build_object('wallet', w.wallet, 'symbol', w.symbol, 'decimals', w.decimals,
                'amount', w.amount::text, 'receiver', w.receiver)
     FROM withdrawals w WHERE w.created_at >= $2 AND $1::bigint[] IS NULL ORDER BY w.id DESC LIMIT $3)
    UNION ALL
    (SELECT 'payout', w.id, w.executed_at, NULL, w.status, w.note,
            jsonb_build_object('wallet', w.wallet, 'symbol', w.symbol, 'decimals', w.decimals,
                'amount', w.amount::text, 'receiver', w.receiver, 'value_usd', w.value_usd::text, 'gas_usd', w.gas_usd::text,
                'tx_hash', '0x' || encode(w.tx_hash, 'hex'))
     FROM withdrawals w
     WHERE w.executed_at >= $2 AND w.status <> 'SUBMITTED' AND $1::bigint[] IS NULL ORDER BY w.id DESC LIMIT $3)
    UNION ALL
    (SELECT 'audit', a.id, a.at, NULL, a.action, a.subject || ', by ' || a.actor, a.detail
     FROM audit a WHERE a.at >= $2 AND $1::bigint[] IS NULL ORDER BY a.at DESC LIMIT $3)
), newest AS (
    SELECT * FROM found ORDER BY at DESC, kind DESC, id DESC LIMIT $3
)
SELECT n.kind, n.id, n.at, n.job_id, n.name, n.detail, jsonb_strip_nulls(n.fields) AS fields,
       coalesce(c.realm, w.realm) AS realm, coalesce(c.chain, w.chain) AS chain, coalesce(c.token_symbol, w.symbol) AS symbol,
       c.timezone
FROM newest n LEFT JOIN chosen c ON c.id = n.job_id
LEFT JOIN withdrawals w ON w.id = n.id AND n.kind IN ('withdrawal', 'payout') ORDER BY n.at, n.kind, n.id
