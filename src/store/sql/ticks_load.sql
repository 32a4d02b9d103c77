-- Everything a slice of ticks needs, jobs included, in one statement. Column names are checked by the tests,
-- not by the compiler: the row is one struct inside another. A job whose row is the one that the caller remembers, by
-- the transaction that wrote it and when, is not read again: its columns are null.
SELECT
    v.id AS job_id,
    v.xmin::text AS row_by,
    v.updated_at AS row_at,
    j.id AS id,
    j.realm AS realm,
    j.chain AS chain,
    j.wallet::text AS wallet,
    j.token_address::text AS token_address,
    j.token_symbol AS token_symbol,
    j.token_decimals AS token_decimals,
    j.quote_address::text AS quote_address,
    j.quote_symbol AS quote_symbol,
    j.quote_decimals AS quote_decimals,
    j.mode AS mode,
    j.status AS status,
    j.status_before_stop,
    j.cycle AS cycle,
    j.config AS config,
    j.config_version AS config_version,
    j.version AS version,
    j.liquidation,
    j.last_fills AS last_fills,
    j.total_accumulated::numeric AS total_accumulated,
    j.token_balance::text AS token_balance,
    j.cost_basis::numeric AS cost_basis,
    j.quote_balance::text AS quote_balance,
    j.realized_pnl::numeric AS realized_pnl,
    j.gas_usd::numeric AS gas_usd,
    j.out_of_pocket::numeric AS out_of_pocket,
    j.money_in::numeric AS money_in,
    j.failures_in_row AS failures_in_row,
    j.backoff_until,
    j.last_error,
    j.created_at AS created_at,
    j.started_at,
    j.stopped_at,
    j.archived_at,
    i.slot,
    clock_timestamp() AS now,
    coalesce(s.last_slot >= i.slot, false) AS recorded,
    (SELECT t.id FROM trades t WHERE t.job_id = i.job_id AND t.slot = i.slot) AS trade_of_slot,
    (SELECT t.id FROM trades t WHERE t.job_id = i.job_id AND t.status IN ('PENDING', 'SUBMITTED')
     ORDER BY t.id LIMIT 1) AS open_trade,
    s.last_price,
    s.last_price_at,
    s.sample_high,
    s.sample_high_at,
    s.sample_high_since,
    s.sample_high_config,
    s.trailing_high,
    s.profit_high,
    spent.trades_last_hour,
    spent.buys_today::numeric AS buys_today,
    spent.volume_today::numeric AS volume_today,
    coalesce(unsettled.buys, 0)::numeric AS unsettled_buys
FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::timestamptz[]) WITH ORDINALITY
    AS i (job_id, slot, known_by, known_at, position)
JOIN jobs v ON v.id = i.job_id
LEFT JOIN jobs j ON j.id = i.job_id AND (v.xmin::text, v.updated_at) IS DISTINCT FROM (i.known_by, i.known_at)
JOIN job_slots s ON s.job_id = i.job_id
CROSS JOIN LATERAL (
    -- Trades that failed moved nothing, but they did cost their place in the hour. Until a failure is final it counts as
    -- if it had moved everything: a node may have lied about it. A plan that was dropped counts nowhere.
    SELECT count(*) FILTER (WHERE t.slot > i.slot - interval '1 hour') AS trades_last_hour,
           coalesce(sum(t.value_usd) FILTER (WHERE t.side = 'BUY' AND (t.status <> 'FAILED' OR w.trade_id IS NOT NULL) AND t.slot >= today), 0) AS buys_today,
           coalesce(sum(t.value_usd) FILTER (WHERE (t.status <> 'FAILED' OR w.trade_id IS NOT NULL) AND t.slot >= today), 0) AS volume_today
    FROM (SELECT date_trunc('day', i.slot AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS today) AS day
    LEFT JOIN trades t ON t.job_id = i.job_id AND t.slot >= least(today, i.slot - interval '1 hour') AND t.slot <= i.slot
         AND t.status <> 'DROPPED'
    LEFT JOIN failure_watches w ON w.trade_id = t.id
) spent
LEFT JOIN (SELECT t.job_id, sum(t.value_usd) AS buys FROM failure_watches w JOIN trades t ON t.id = w.trade_id
           WHERE t.side = 'BUY' AND t.job_id = ANY($1) GROUP BY t.job_id) AS unsettled ON unsettled.job_id = i.job_id
ORDER BY i.position
