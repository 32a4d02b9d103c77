//! `pools`: every pool of a token, and what it costs to trade there.

use clap::Args;
use rust_decimal::Decimal;

use super::out::{Out, dollars, moment, table};
use crate::{
    app::{
        App, AppError,
        pools::{self, PoolView, PoolsRequest, PoolsView},
        target::address,
    },
    config::Settings,
};

#[derive(Debug, Args)]
pub(super) struct PoolsArgs {
    /// Token address
    token: String,
    /// Chain to look on
    #[arg(long, default_value = "base")]
    chain: String,
    /// What a round trip begins with, USD
    #[arg(
        long,
        value_name = "USD",
        default_value = "100",
        allow_negative_numbers = true
    )]
    size: Decimal,
}

pub(super) async fn run(settings: &Settings, out: Out, args: &PoolsArgs) -> Result<(), AppError> {
    let request = PoolsRequest {
        token: address(&args.token)?,
        chain: args.chain.clone(),
        size_usd: args.size,
    };
    let app = App::open(settings).await?;
    out.show(&pools::pools(&app, &request).await?, text)
}

fn text(view: &PoolsView) -> String {
    let mut lines = Vec::new();
    if view.pools.is_empty() {
        lines.push(format!(
            "no pool of {} gives anything on {}",
            view.token, view.chain
        ));
    } else {
        let size = dollars(view.size_usd);
        lines.push(format!(
            "pools of {} on {}; a round trip buys for {size} USD and sells all of it again",
            view.token, view.chain
        ));
        let header = [
            "pay with",
            "venue",
            "fee",
            "hook",
            "impact",
            "round trip",
            "depth",
            "created",
        ];
        lines.push(table(&header, view.pools.iter().map(row)));
        lines.push(String::new());
        lines.push("To trade in one of them alone:".to_owned());
        lines.extend(view.pools.iter().map(pin));
    }
    lines.push(String::new());
    lines.extend(view.asked.iter().map(|asked| format!("asked {asked}")));
    lines.push(view.search.clone());
    lines.push(
        "one transaction goes through several pools of Uniswap V2, V3 and V4; no router swaps in them and in pools of \
         another exchange, so there are no such routes"
            .to_owned(),
    );
    lines.push(
        "depth is the largest of 100, 1000, .. 1000000 USD that moves the price by at most 1 %; ~ is what the pool says, \
         where nothing could be tried"
            .to_owned(),
    );
    lines.join("\n") + "\n"
}

fn row(pool: &PoolView) -> Vec<String> {
    let hook = match pool.hook {
        None => "-".to_owned(),
        Some(hook) if pool.hook_known => format!("{hook} (v4_hooks)"),
        Some(hook) => hook.to_string(),
    };
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let said = if pool.measured { "" } else { "~" };
    vec![
        pool.quote.clone(),
        pool.venue.to_owned(),
        pool.fee_bps.map_or_else(|| "by hook".to_owned(), percent),
        hook,
        or_dash(pool.impact_bps.map(percent)),
        match (&pool.refused, pool.round_trip_bps) {
            (Some(_), _) => "refused".to_owned(),
            (None, loss) => or_dash(loss.map(|loss| format!("{said}{}", percent(loss)))),
        },
        or_dash(pool.depth_usd.map(|usd| format!("{usd} USD"))),
        or_dash(pool.created_at.map(moment)),
    ]
}

fn pin(pool: &PoolView) -> String {
    match &pool.refused {
        Some(why) => format!("  {}: {why}", pool.pool),
        None => format!("  --quote {} --set venue.pool={}", pool.quote, pool.pool),
    }
}

/// Basis points as per cent, exactly.
fn percent(bps: u32) -> String {
    format!("{} %", Decimal::new(i64::from(bps), 2).normalize())
}
