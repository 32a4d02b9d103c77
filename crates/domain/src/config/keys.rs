//! Every key by its dotted name, for help, examples and error messages.

/// One key of a job's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its dotted name, such as `accumulate.dca_amount_usd`.
    pub name: &'static str,
    /// What it means, in one line.
    pub about: &'static str,
}

/// Keys that exclude each other: a layer of configuration that sets one of a pair removes the other from
/// the layers below it.
pub const ALTERNATIVES: &[(&str, &str)] = &[("accumulate.dca_interval", "accumulate.dca_schedule")];

const fn key(name: &'static str, about: &'static str) -> Key {
    Key { name, about }
}

/// All keys, in the order of the sections. A test holds this list against what a full configuration
/// serialises to.
pub const KEYS: &[Key] = &[
    key(
        "schedule.cron",
        "Cron line of 5 or 6 fields (seconds first if 6): when the job is evaluated",
    ),
    key("schedule.timezone", "IANA time zone that cron lines are read in"),
    key(
        "schedule.jitter",
        "Each slot starts up to this much later; 0s to 1h, below max_lateness",
    ),
    key(
        "schedule.max_lateness",
        "A tick that starts later than this holds; 1s to 24h",
    ),
    key(
        "price.sources",
        "generated, recorded, dexscreener, onchain, twap: the first is used, the others cross-check it",
    ),
    key(
        "price.max_price_age",
        "A price older than this is stale; 1s to 24h",
    ),
    key(
        "price.max_price_deviation_bps",
        "Largest distance between sources; 1 to 10000 bps",
    ),
    key(
        "price.max_price_move_pct",
        "Largest believable move between samples; 0 (off) to 10000 %",
    ),
    key(
        "price.single_source",
        "Live: true = allow a first price, and the price of a liquidation, from one source on one node",
    ),
    key(
        "price.generated.seed",
        "Seed of the generated series; equal seeds give equal prices",
    ),
    key(
        "price.generated.start_usd",
        "Mean price of the generated series, USD, above 0",
    ),
    key("price.generated.swing_pct", "Amplitude of swings; 0 to 90 %"),
    key(
        "price.generated.period",
        "Approximate period of a large swing; 2s to 365d",
    ),
    key(
        "price.recorded.file",
        "CSV file of times and prices, or of candles, as `backtest` reads it",
    ),
    key(
        "price.recorded.speed",
        "Recorded seconds that pass in one real second; 0.001 to 1000000",
    ),
    key(
        "price.recorded.starts_at",
        "Real instant of the first row; set when the job starts",
    ),
    key(
        "venue.pool",
        "Live: the pool to trade in: v2[:FORK], v3:FEE[/FEE], pancake:FEE[/FEE], slipstream[-caps|-v3]:SPACING[/SPACING], \
         aerodrome:CURVE[/CURVE] (volatile or stable) or v4:CURRENCY0/CURRENCY1/FEE/TICK_SPACING/HOOKS",
    ),
    key(
        "venue.min_pool_age",
        "Live: age of a Uniswap V4 pool before it is bought in; 0s (any) to 7d (10m for a new job)",
    ),
    key(
        "venue.referees",
        "Live: aggregators asked before each trade for a better route: [] (none), or some of kyberswap, velora",
    ),
    key(
        "venue.referee_bps",
        "How far below a referee's quote a trade may be; 0 to 5000 bps (100 unless set)",
    ),
    key(
        "venue.referee_action",
        "What follows if a referee knows better or is silent: hold (unless set), or warn (in the log); a liquidation or a stop never holds",
    ),
    key(
        "limits.min_trade_usd",
        "Smallest trade worth its gas, USD, above 0; liquidation ignores it",
    ),
    key(
        "limits.max_position_usd",
        "Largest position by value, USD; 0 = no limit",
    ),
    key(
        "limits.max_trades_per_hour",
        "Most trades in 60 minutes, up to 3600; 0 = no limit",
    ),
    key(
        "limits.max_daily_spend_usd",
        "Most spent on buys in one UTC day, USD; 0 = no limit",
    ),
    key(
        "limits.max_slippage_bps",
        "How far below the accepted price a fill may end, after known fees; 1 to 5000 bps",
    ),
    key(
        "limits.max_pool_fee_bps",
        "Most that pool, hook and token may keep of one trade; 1 to 5000 bps",
    ),
    key(
        "limits.max_slip_from_quote_bps",
        "How far below its simulation a fill may end: the calldata's minimum; 1 to 5000 bps",
    ),
    key(
        "limits.max_price_impact_bps",
        "Largest price impact of a trade; 1 to 5000 bps",
    ),
    key(
        "limits.max_round_trip_loss_bps",
        "Largest loss of a buy and an immediate sell; 0 (what is kept of both, and 300) to 5000 bps",
    ),
    key("limits.max_gas_usd", "Most gas for one trade, USD, above 0"),
    key(
        "limits.failure_backoff",
        "First pause after a failed trade, doubling up to 64 times; 1s to 24h",
    ),
    key(
        "limits.gas_reserve",
        "Native coin kept for gas, whole coins; 0 to 1000000",
    ),
    key(
        "notify.events",
        "Events to notify about: [\"all\"], or some of trade.filled, trade.failed, trade.reversed, trade.stuck, job.error, job.liquidated, job.unsellable",
    ),
    key(
        "notify.receivers",
        "Receivers to notify: [\"all\"], or names of the settings' [notify.receivers]",
    ),
    key("accumulate.dca_amount_usd", "Money for one DCA buy, USD, above 0"),
    key(
        "accumulate.dca_interval",
        "Time between DCA buys; 1s to 365d; whole days by the calendar. Either this or dca_schedule",
    ),
    key(
        "accumulate.dca_schedule",
        "Cron line of DCA instants. Either this or dca_interval",
    ),
    key(
        "accumulate.buy_above_usd",
        "Lowest price at which it buys, USD for one token; 0 = no such bound",
    ),
    key(
        "accumulate.buy_below_usd",
        "Highest price at which it buys, USD for one token; 0 = no such bound",
    ),
    key(
        "accumulate.max_accumulation_usd",
        "Most the position may cost, and be worth, in one cycle, USD",
    ),
    key(
        "accumulate.dip_buy_threshold_pct",
        "Fall from the recent high, in two slots in a row, that makes a dip; 0 (off) to 99 %",
    ),
    key(
        "accumulate.dip_buy_multiplier",
        "A dip buy is this many times dca_amount_usd; 0.1 to 100",
    ),
    key(
        "accumulate.dip_window",
        "How far back the recent high is looked for; it starts over with each dip buy; 1s to 90d",
    ),
    key(
        "accumulate.dip_cooldown",
        "Shortest time between two dip buys; 0s to 365d; whole days by the calendar",
    ),
    key(
        "accumulate.take_profit_pct",
        "Gain that takes profit, over average cost and, until that has fallen, over the last sale; 0 (off) to 100000 %",
    ),
    key(
        "accumulate.take_profit_sell_pct",
        "Share of the holding that is sold; above 0, up to 100 %",
    ),
    key(
        "accumulate.trailing_take_profit_pct",
        "Fall from the highest price since take-profit's goal that sells; 0 (at the goal) to 99 %",
    ),
    key(
        "accumulate.take_profit_cooldown",
        "Shortest time between two take-profits; 0s to 365d; whole days by the calendar",
    ),
    key(
        "accumulate.stop_loss_pct",
        "Fall below the average cost, in two slots in a row, that sells; nothing is bought below it; 0 (off) to 99 %",
    ),
    key(
        "accumulate.stop_price_usd",
        "Price that sells, in two slots in a row; nothing is bought at or below it, USD for one token; 0 = off",
    ),
    key(
        "accumulate.trailing_stop_pct",
        "Fall from the highest price since the first buy, in two slots in a row, that sells; 0 (off) to 99 %",
    ),
    key(
        "accumulate.trailing_arm_pct",
        "Gain over average cost that arms the trailing stop; 0 (with the first buy) to 100000 %",
    ),
    key(
        "accumulate.stop_sells_pct",
        "Share of the holding that a stop sells; above 0, up to 100 %",
    ),
    key(
        "accumulate.after_stop",
        "What the job does once a stop has sold: pause, continue (after stop_cooldown) or idle",
    ),
    key(
        "accumulate.stop_cooldown",
        "With after_stop = continue: no buys for this long after a stop; 0s to 365d; whole days by the calendar",
    ),
    key("liquidity.budget_usd", "Initial money of the job, USD, above 0"),
    key(
        "liquidity.spread_pct",
        "Distance from the moving average that trades; above 0, up to 50 %",
    ),
    key(
        "liquidity.spread_trade_usd",
        "Money for one spread trade, USD, above 0",
    ),
    key(
        "liquidity.spread_cooldown",
        "Shortest time between two spread trades; 0s to 365d; whole days by the calendar",
    ),
    key(
        "liquidity.support_buy_multiplier",
        "A spread buy in a dip is this many times larger; 1 to 100",
    ),
    key(
        "liquidity.support_dip_pct",
        "Distance below the moving average that is a dip; spread_pct to 99 %",
    ),
    key(
        "liquidity.target_ratio_pct",
        "Share of the inventory's value that is token; 1 to 99 %",
    ),
    key(
        "liquidity.rebalance_threshold_pct",
        "Distance from target that rebalances; above 0, up to 50 points",
    ),
    key(
        "liquidity.ma_window",
        "Window of the time-weighted moving average; 2s to 30d",
    ),
    key(
        "liquidity.max_daily_volume_usd",
        "Most bought plus sold in one UTC day, USD; 0 = no limit",
    ),
    key("order.side", "What the order does: buy or sell"),
    key(
        "order.amount_usd",
        "A buy: what it spends in all, USD, above 0; a sale sells all tokens that its job holds",
    ),
    key(
        "order.limit_usd",
        "A buy trades at or below this price, a sale at or above it, USD for one token; 0 = at any price",
    ),
    key(
        "order.stop_usd",
        "A sale trades at or below this price, a buy at or above it, in two slots in a row, USD for one token; 0 = off",
    ),
    key(
        "order.trail_pct",
        "Fall from the highest price since the order that sells, or rise from the lowest that buys; 0 (off) to 99 %",
    ),
    key(
        "order.until",
        "The order ends then, filled or not: a day or a time of schedule.timezone, such as 2026-12-31, or an instant, such as \
         2026-12-31T12:00Z; without it, it waits",
    ),
    key("order.slices", "Number of equal parts; 1 to 10000"),
    key("order.over", "Time from the first part to the last; 0s to 365d"),
    key(
        "basket.name",
        "Jobs of one wallet, chain and quote with this name are one basket; 1 to 32 of a-z, 0-9, - and _",
    ),
    key(
        "basket.members",
        "Number of members: nothing is traded until all of them were started; 2 to 100",
    ),
    key(
        "basket.weight",
        "Share of the basket, as a part of the sum of all weights; above 0, up to 1000",
    ),
    key(
        "basket.band_pct",
        "Distance from the target share that trades; above 0, up to 99 % of that share",
    ),
    key(
        "basket.budget_usd",
        "Money that this member brings into the basket, USD, above 0",
    ),
];
