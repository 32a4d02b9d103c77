//! What a buy and a sale right after it cost, all in.

use rust_decimal::Decimal;
use serde::Serialize;

use super::{Found, percent};
use crate::{
    app::{App, AppError},
    config::Settings,
    domain::{
        costs::{gas_cost, gas_paid},
        onchain::{Asset, Checks, Fees, SwapRequest},
        pool::NATIVE,
        units::{Amount, NATIVE_DECIMALS, Price, Rounding, Usd},
    },
    paper::default_wallet,
    ports::Chain,
};

/// Gas may take this share of a buy, per cent, before a larger one is advised.
const GAS_SHARE_MAX: Decimal = Decimal::ONE;
/// Sizes of a buy that are advised, in turn times ten.
const SIZES: [u32; 3] = [1, 2, 5];

/// Costs of a buy of `amount_usd`, and of a sale of what it bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Costs {
    pub amount_usd: Usd,
    /// Whether pools were asked; else why these are estimates.
    pub estimated: Option<String>,
    /// Pool fees and price impact of both swaps, USD.
    pub pool_usd: Usd,
    /// Gas of the buy at most, USD.
    pub buy_gas_usd: Usd,
    /// Gas of both at most, USD.
    pub gas_usd: Usd,
    /// All of it, USD.
    pub round_trip_usd: Usd,
    /// All of it as a share of the buy, per cent.
    pub round_trip_pct: Option<Decimal>,
    /// Gas of the buy as a share of it, per cent.
    pub gas_share_pct: Option<Decimal>,
    /// The smallest buy of which gas takes at most one per cent, if this one is smaller.
    pub use_usd: Option<Usd>,
}

impl Costs {
    fn new(amount: Usd, pool: Decimal, buy_gas: Usd, gas: Usd, estimated: Option<String>) -> Self {
        // A pool that pays more than it got is no gain that anyone should count on.
        let pool_usd = Usd::rounded(pool.max(Decimal::ZERO), Rounding::Up);
        let all = pool_usd.decimal().saturating_add(gas.decimal());
        let gas_share_pct = percent(buy_gas.decimal(), amount.decimal());
        Self {
            amount_usd: amount,
            estimated,
            pool_usd,
            buy_gas_usd: buy_gas,
            gas_usd: gas,
            round_trip_usd: Usd::rounded(all, Rounding::Up),
            round_trip_pct: percent(all, amount.decimal()),
            gas_share_pct,
            use_usd: advised(amount, buy_gas),
        }
    }
}

/// The smallest of 1, 2, 5, 10, 20, .. USD of which `gas` is at most one per cent; `None` if `amount` is enough.
fn advised(amount: Usd, gas: Usd) -> Option<Usd> {
    let enough = gas
        .decimal()
        .checked_mul(Decimal::ONE_HUNDRED.checked_div(GAS_SHARE_MAX)?)?;
    if amount.decimal() >= enough {
        return None;
    }
    let mut ten = Decimal::ONE;
    loop {
        for size in SIZES {
            let size = ten.checked_mul(Decimal::from(size))?;
            if size >= enough {
                return Usd::new(size).ok();
            }
        }
        ten = ten.checked_mul(Decimal::TEN)?;
    }
}

/// Costs by the pools themselves; the error says why they could not be asked.
pub(super) async fn quoted(app: &App, found: &Found, amount: Usd) -> Result<Costs, String> {
    let live = app
        .live()
        .chain(&found.chain)
        .map_err(|error| error.to_string())?;
    let native = live
        .chain
        .usd_price(Asset::of(NATIVE))
        .await
        .map_err(|error| error.to_string())?
        .price;
    let fees = live.chain.fees().await.map_err(|error| error.to_string())?;
    let paid = amount
        .to_amount(NATIVE_DECIMALS, native, Rounding::Up)
        .map_err(|error| error.to_string())?;
    let swap = |token_in, token_out, amount_in| SwapRequest {
        wallet: default_wallet(),
        token_in,
        token_out,
        amount_in,
        amount_out_fair: Amount::ZERO,
        fair_rest: 0,
        pool: None,
        prove_sell: false,
        checks: Checks::none(),
    };
    let quote = |request: SwapRequest| async move {
        live.venue
            .quote(&request)
            .await
            .map_err(|error| error.to_string())
    };
    let buy = quote(swap(NATIVE, found.token, paid)).await?;
    let sell = quote(swap(found.token, NATIVE, buy.amount_out)).await?;
    let back = sell
        .amount_out
        .value(NATIVE_DECIMALS, native, Rounding::Down)
        .map_err(|error| error.to_string())?;
    let gas = |units: u64, data_fee: Amount| gas_usd(units, data_fee, fees, native);
    let buy_gas = gas(buy.gas_units, buy.data_fee)?;
    let both = buy_gas
        .checked_add(gas(sell.gas_units, sell.data_fee)?)
        .map_err(|error| error.to_string())?;
    let pool = amount.decimal().saturating_sub(back.decimal());
    Ok(Costs::new(amount, pool, buy_gas, both, None))
}

fn gas_usd(units: u64, data_fee: Amount, fees: Fees, native: Price) -> Result<Usd, String> {
    let gas = gas_cost(units, fees, native).and_then(|(_, gas)| gas.checked_add(gas_paid(data_fee, native)?));
    gas.map_err(|error| error.to_string())
}

/// Costs by the paper venue's settings, and an impact by the depth of the deepest pool.
pub(super) fn estimated(
    settings: &Settings,
    found: &Found,
    amount: Usd,
    why: String,
) -> Result<Costs, AppError> {
    let paper = &settings.paper;
    let out = |error: crate::domain::units::MoneyError| {
        AppError::Usage(format!("{} USD: {error}", amount.decimal()))
    };
    let native = paper.native_price_usd;
    let gas = gas_paid(paper.swap_gas(), native).map_err(out)?;
    let both = gas.checked_add(gas).map_err(out)?;
    let part = |bps: u32| Decimal::new(i64::from(bps), 4);
    // Of two swaps, each with fee and slippage; rounded against us by adding them up.
    let fees = (part(paper.fee_bps) + part(paper.slippage_bps)) * Decimal::TWO;
    // Against half of a pool's money, spread over all prices, in both directions.
    let depth = found.pools.first().map_or(Decimal::ZERO, |pool| pool.depth_usd);
    let impact = amount
        .decimal()
        .checked_mul(Decimal::from(4))
        .and_then(|four| four.checked_div(depth))
        .unwrap_or_default()
        .min(Decimal::ONE);
    let pool = amount.decimal().saturating_mul(fees + impact);
    Ok(Costs::new(amount, pool, gas, both, Some(why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        Usd::new(text.parse().expect("a number")).expect("USD")
    }

    #[test]
    fn a_larger_buy_is_advised_where_gas_takes_more_than_one_per_cent() {
        for (amount, gas, advised) in [
            ("10", "0.50", Some("50")),
            ("10", "0.10", None),
            ("10", "0.1000001", Some("20")),
            ("10", "3", Some("500")),
            ("499", "5", Some("500")),
            ("500", "5", None),
            ("1", "0", None),
            ("25", "6.21", Some("1000")),
        ] {
            let costs = Costs::new(usd(amount), Decimal::ZERO, usd(gas), usd(gas), None);
            assert_eq!(costs.use_usd, advised.map(usd), "{amount} {gas}");
        }
        let costs = Costs::new(usd("10"), Decimal::ONE, usd("0.5"), usd("1"), None);
        assert_eq!(costs.gas_share_pct, Some(Decimal::from(5)));
        assert_eq!(costs.round_trip_pct, Some(Decimal::from(20)));
    }
}
