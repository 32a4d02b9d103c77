//! Five jobs whose prices move fast enough for every rule to fire within a minute.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use serde_json::json;

use crate::{
    app::{actor::Actor, context::App, error::AppError},
    domain::{
        chains::{self, USDC_DECIMALS},
        config::{JobConfig, SourceName},
        job::{Account, JobId, JobMode, JobStatus, Realm, Token},
        pool::NATIVE,
        span::Span,
        units::{Amount, Price, Rounding, Usd},
    },
    paper::default_wallet,
    store::{
        jobs::{self, Filter, NewJob},
        orders::{self, Order},
    },
};

/// On live jobs prices move by real swaps between blocks: the floor leaves them room.
const LIVE_SLIPPAGE_BPS: u32 = 500;

/// Where the jobs trade.
pub(super) enum Stage {
    /// On paper, each with its own generated prices.
    Paper,
    /// On a chain, against the native coin.
    Live {
        /// The account that pays.
        account: Account,
        /// The tokens by ticker.
        tokens: BTreeMap<String, Address>,
        /// USD per native coin.
        native: Price,
    },
}

/// Creates and starts the jobs; returns the one to liquidate half way through.
pub(super) async fn create(app: &App, stage: &Stage, actor: &Actor) -> Result<JobId, AppError> {
    let steady = accumulate(1, "4s", json!({ "dip_buy_threshold_pct": 0 }))?;
    start(app, stage, 1, "STEADY", steady, actor).await?;
    let dipper = accumulate(2, "15s", dipper())?;
    start(app, stage, 2, "DIPPER", dipper, actor).await?;
    let spread = liquidity(3, json!({ "rebalance_threshold_pct": 30, "spread_pct": 2 }))?;
    start(app, stage, 3, "SPREAD", spread, actor).await?;
    let balance = liquidity(
        4,
        json!({ "rebalance_threshold_pct": 3, "spread_pct": 50, "support_dip_pct": 60 }),
    )?;
    start(app, stage, 4, "BALANCE", balance, actor).await?;
    let seller = accumulate(5, "3s", json!({ "dip_buy_threshold_pct": 0 }))?;
    start(app, stage, 5, "SELLER", seller, actor).await
}

fn dipper() -> serde_json::Value {
    json!({
        "dip_buy_threshold_pct": 8, "dip_window": "20s", "dip_cooldown": "3s",
        "take_profit_pct": 8, "take_profit_sell_pct": 30, "take_profit_cooldown": "3s",
    })
}

fn accumulate(seed: u64, interval: &str, rules: serde_json::Value) -> Result<JobConfig, AppError> {
    let mut section = json!({ "dca_amount_usd": 10, "dca_interval": interval, "max_accumulation_usd": 500 });
    join(&mut section, rules);
    config(JobMode::Accumulate, json!({ "accumulate": section }), seed)
}

fn liquidity(seed: u64, rules: serde_json::Value) -> Result<JobConfig, AppError> {
    let mut section = json!({
        "budget_usd": 500, "spread_trade_usd": 20, "spread_cooldown": "2s", "ma_window": "6s",
        "max_daily_volume_usd": 0, "target_ratio_pct": 50,
    });
    join(&mut section, rules);
    config(JobMode::Liquidity, json!({ "liquidity": section }), seed)
}

fn join(section: &mut serde_json::Value, more: serde_json::Value) {
    if let (Some(section), serde_json::Value::Object(more)) = (section.as_object_mut(), more) {
        section.extend(more);
    }
}

/// A slot each second, prices that swing 15 % within ten.
fn config(mode: JobMode, mut rules: serde_json::Value, seed: u64) -> Result<JobConfig, AppError> {
    join(
        &mut rules,
        json!({
            "schedule": { "cron": "* * * * * *" },
            "price": {
                "sources": ["generated"],
                "generated": { "seed": seed, "start_usd": 2, "swing_pct": 15, "period": "10s" },
            },
            "limits": { "max_trades_per_hour": 0, "max_daily_spend_usd": 0, "failure_backoff": "1s" },
        }),
    );
    let config: JobConfig =
        serde_json::from_value(rules).map_err(|error| AppError::Internal(error.to_string()))?;
    config.validate(mode).map_err(AppError::Config)?;
    Ok(config)
}

async fn start(
    app: &App,
    stage: &Stage,
    number: u8,
    symbol: &str,
    mut config: JobConfig,
    actor: &Actor,
) -> Result<JobId, AppError> {
    let internal = |error: &dyn std::fmt::Display| AppError::Internal(error.to_string());
    let base = chains::find("base").map_err(|error| internal(&error))?;
    let (account, address, quote, quote_price) = match stage {
        Stage::Paper => {
            let account = Account {
                realm: Realm::Paper,
                chain: base.name.to_owned(),
                wallet: default_wallet(),
            };
            let dollar = token(base.usdc, "USDC", USDC_DECIMALS);
            (account, Address::repeat_byte(number), dollar, Price::ONE)
        }
        Stage::Live {
            account,
            tokens,
            native,
        } => {
            config.price.sources = vec![SourceName::Onchain];
            config.limits.max_slippage_bps = LIVE_SLIPPAGE_BPS;
            config.limits.gas_reserve = rust_decimal::Decimal::ONE;
            let address = tokens.get(symbol).copied();
            let address = address.ok_or_else(|| internal(&format_args!("{symbol} is not deployed")))?;
            (account.clone(), address, token(NATIVE, "ETH", 18), *native)
        }
    };
    let budget = config.rules.budget().unwrap_or(Usd::ZERO);
    let deposit: Amount = budget
        .to_amount(quote.decimals, quote_price, Rounding::Down)
        .map_err(|error| internal(&error))?;
    let new = NewJob {
        account,
        token: token(address, symbol, 18),
        quote,
        mode: config.mode(),
        config,
    };
    let id = jobs::create(&app.pool, &new, actor.as_str()).await?;
    orders::order(&app.pool, id, Order::Start { deposit }, actor.as_str()).await?;
    Ok(id)
}

fn token(address: Address, symbol: &str, decimals: u8) -> Token {
    Token {
        address,
        symbol: symbol.to_owned(),
        decimals,
    }
}

/// Sells a job in three slices.
///
/// # Errors
/// [`AppError`] if the job cannot be sold.
pub async fn sell(app: &App, job: JobId, actor: &Actor) -> Result<(), AppError> {
    let order = Order::Liquidate {
        over: Span::from_secs(4),
        slices: 3,
    };
    orders::order(&app.pool, job, order, actor.as_str()).await?;
    Ok(())
}

/// Pauses every job: no new trades.
///
/// # Errors
/// [`AppError`] if the database fails.
pub async fn pause_all(app: &App, actor: &Actor) -> Result<(), AppError> {
    for job in jobs::list(&app.pool, &Filter::default()).await? {
        if matches!(job.status, JobStatus::Running | JobStatus::Liquidating) {
            // A liquidation that has just ended has nothing left to pause.
            match orders::order(&app.pool, job.id, Order::Pause, actor.as_str()).await {
                Ok(_) | Err(jobs::CommandError::Refused(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
