SELECT
    id AS "id!",
    realm AS "realm!",
    chain AS "chain!",
    wallet::text AS "wallet!",
    token_address::text AS "token_address!",
    token_symbol AS "token_symbol!",
    token_decimals AS "token_decimals!",
    quote_address::text AS "quote_address!",
    quote_symbol AS "quote_symbol!",
    quote_decimals AS "quote_decimals!",
    mode AS "mode!",
    status AS "status!",
    status_before_stop,
    cycle AS "cycle!",
    config AS "config!: Json<Box<RawValue>>",
    config_version AS "config_version!",
    version AS "version!",
    liquidation,
    last_fills AS "last_fills!",
    total_accumulated::numeric AS "total_accumulated!",
    token_balance::text AS "token_balance!",
    cost_basis::numeric AS "cost_basis!",
    quote_balance::text AS "quote_balance!",
    realized_pnl::numeric AS "realized_pnl!",
    gas_usd::numeric AS "gas_usd!",
    out_of_pocket::numeric AS "out_of_pocket!",
    money_in::numeric AS "money_in!",
    failures_in_row AS "failures_in_row!",
    backoff_until,
    last_error,
    created_at AS "created_at!",
    started_at,
    stopped_at,
    archived_at
FROM jobs
WHERE ($4 OR archived_at IS NULL)
    AND ($1::text IS NULL OR token_address = $1)
    AND ($2::text IS NULL OR chain = $2)
    AND ($3::text IS NULL OR status = $3)
    AND ($5::text IS NULL OR realm = $5)
    AND ($6::bigint IS NULL OR id > $6)
    AND (NOT $7 OR lower(token_symbol) = lower($8) OR id = $9)
ORDER BY id
LIMIT $10
