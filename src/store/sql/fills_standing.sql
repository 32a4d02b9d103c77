-- Of each rule the last fill of a cycle that still stands, with what it sold and what that had cost: nothing of a buy, nor
-- of a sale after which the job held nothing at some time. Rows of one job are written one after the other.
WITH standing AS (
    SELECT f.id, f.created_at, f.side, f.base_amount, f.cost_sold_usd, t.reason, t.slot, t.plan_price_usd
    FROM fills f JOIN trades t ON t.id = f.trade_id
    WHERE f.job_id = $1 AND f.cycle = $2 AND f.kind = 'fill' AND t.status = 'EXECUTED'
      AND NOT EXISTS (SELECT 1 FROM fills r WHERE r.trade_id = f.trade_id AND r.kind = 'reversal' AND r.round = f.round)
), moves AS (
    SELECT id, created_at, CASE side WHEN 'BUY' THEN base_amount::numeric ELSE -base_amount::numeric END AS tokens
    FROM standing
    UNION ALL
    SELECT 0, created_at, token_delta FROM adjustments WHERE job_id = $1 AND cycle = $2
), held AS (
    SELECT id, created_at, sum(tokens) OVER (ORDER BY created_at, id) AS balance FROM moves
), emptied AS (
    SELECT max(created_at) AS at FROM held WHERE balance <= 0
), last AS (
    SELECT DISTINCT ON (s.reason) s.*, s.side = 'SELL' AND (e.at IS NULL OR s.created_at > e.at) AS kept
    FROM standing s CROSS JOIN emptied e
    ORDER BY s.reason, s.slot DESC, s.id DESC
)
SELECT reason, slot, plan_price_usd,
       CASE WHEN kept THEN base_amount::numeric ELSE 0 END::text AS "sold!",
       CASE WHEN kept THEN cost_sold_usd::numeric ELSE 0 END AS "cost_sold!"
FROM last
