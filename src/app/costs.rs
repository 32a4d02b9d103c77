//! What a buy and a sale right after it cost, all in.

use alloy_primitives::Address;
use rust_decimal::Decimal;
use serde::Serialize;

use super::{App, AppError};
use crate::{
    chain::{LiveChain, SurveyRequest, TriedTrip},
    config::Settings,
    domain::{
        Timestamp,
        config::Rules,
        costs::{gas_cost, gas_paid},
        kept::Kept,
        onchain::{Asset, Fees},
        pool::Pool,
        units::{Amount, MoneyError, Price, Rounding, Usd},
    },
    ports::Chain,
    store::sales::Tried,
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
    /// The pool that was asked.
    pub pool: Option<String>,
    /// When it was asked, if that is not now.
    pub at: Option<Timestamp>,
    /// What the pool keeps of each swap by its own fee, per cent.
    pub pool_fee_pct: Option<Decimal>,
    /// What its hook keeps besides, per cent.
    pub hook_fee_pct: Option<Decimal>,
    /// What the token keeps of the buy, per cent.
    pub tax_pct: Option<Decimal>,
    /// How far the buy moves the price, per cent.
    pub impact_pct: Option<Decimal>,
    /// Fees, hook, tax and price impact of both swaps, USD.
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

/// The pair, and the pool if one is pinned, of which costs are asked.
pub(in crate::app) struct CostsOf<'a> {
    pub chain: &'a str,
    pub token: Address,
    pub quote: Address,
    pub quote_decimals: u8,
    /// The pinned pool.
    pub pool: Option<Pool>,
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
            pool: None,
            at: None,
            pool_fee_pct: None,
            hook_fee_pct: None,
            tax_pct: None,
            impact_pct: None,
            pool_usd,
            buy_gas_usd: buy_gas,
            gas_usd: gas,
            round_trip_usd: Usd::rounded(all, Rounding::Up),
            round_trip_pct: percent(all, amount.decimal()),
            gas_share_pct,
            use_usd: advised(amount, buy_gas),
        }
    }

    /// The same, with who keeps how much of it.
    fn split(self, kept: Kept, impact_bps: u32) -> Self {
        let millionths = |share: u32| Some(Decimal::new(i64::from(share), 4).normalize());
        Self {
            pool_fee_pct: millionths(kept.pool()),
            hook_fee_pct: millionths(kept.hook()),
            tax_pct: millionths(kept.token()),
            impact_pct: Some(Decimal::new(i64::from(impact_bps), 2).normalize()),
            ..self
        }
    }

    /// What the newest buy of a live job was tried to cost.
    pub(in crate::app) fn tried(tried: &Tried) -> Self {
        let row = &tried.trip;
        let pool = row
            .amount_usd
            .decimal()
            .saturating_mul(Decimal::new(i64::from(row.lost_bps), 4));
        let costs = Self::new(row.amount_usd, pool, row.buy_gas_usd, row.gas_usd, None);
        Self {
            at: Some(tried.at),
            ..costs.split(row.kept, row.impact_bps)
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
pub(in crate::app) async fn quoted(app: &App, of: &CostsOf<'_>, amount: Usd) -> Result<Costs, String> {
    let live = app.live().chain(of.chain).map_err(|error| error.to_string())?;
    asked(live, of, amount).await
}

async fn asked(live: &LiveChain, of: &CostsOf<'_>, amount: Usd) -> Result<Costs, String> {
    let price = async |asset| {
        let known = live.chain.usd_price(asset).await;
        known.map(|known| known.price).map_err(|error| error.to_string())
    };
    let (native, quote) = (price(Asset::Native).await?, price(Asset::of(of.quote)).await?);
    let fees = live.chain.fees().await.map_err(|error| error.to_string())?;
    let out = |error: MoneyError| error.to_string();
    let paid = amount
        .to_amount(of.quote_decimals, quote, Rounding::Up)
        .map_err(out)?;
    let request = SurveyRequest {
        token: of.token,
        quote: of.quote,
        amount: paid.units(),
        ladder: vec![],
    };
    let trip: TriedTrip = live.pools.trip(&request, of.pool).await?;
    let back = trip
        .back
        .value(of.quote_decimals, quote, Rounding::Down)
        .map_err(out)?;
    let gas = |units: u64, data_fee: Amount| gas_usd(units, data_fee, fees, native);
    let buy_gas = gas(trip.buy_gas_units, trip.buy_data_fee)?;
    let both = gas(trip.gas_units, trip.data_fee)?;
    let pool = amount.decimal().saturating_sub(back.decimal());
    let costs = Costs::new(amount, pool, buy_gas, both, None);
    Ok(Costs {
        pool: Some(trip.pool.to_string()),
        ..costs.split(trip.kept, trip.impact_bps)
    })
}

/// USD of one buy by a job's rules.
pub(in crate::app) fn one_buy(rules: &Rules) -> Usd {
    match rules {
        Rules::Accumulate(rules) => rules.dca_amount_usd,
        Rules::Liquidity(rules) => rules.spread_trade_usd,
        Rules::Order(rules) => rules.part_usd(),
        Rules::Basket(rules) => rules.budget_usd,
    }
}

/// What a buy and a sale right after it cost on paper, by the venue's settings.
pub(in crate::app) fn on_paper(settings: &Settings, amount: Usd) -> Result<Costs, AppError> {
    let why = "the paper venue's settings".to_owned();
    estimated(settings, None, amount, why)
}

fn gas_usd(units: u64, data_fee: Amount, fees: Fees, native: Price) -> Result<Usd, String> {
    let gas = gas_cost(units, fees, native).and_then(|(_, gas)| gas.checked_add(gas_paid(data_fee, native)?));
    gas.map_err(|error| error.to_string())
}

/// Costs by the paper venue's settings, and an impact by the depth of the deepest pool, if one is known.
pub(in crate::app) fn estimated(
    settings: &Settings,
    depth_usd: Option<Decimal>,
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
    let depth = depth_usd.unwrap_or_default();
    let impact = amount
        .decimal()
        .checked_mul(Decimal::from(4))
        .and_then(|four| four.checked_div(depth))
        .unwrap_or_default()
        .min(Decimal::ONE);
    let pool = amount.decimal().saturating_mul(fees + impact);
    let kept = Kept::by_pool(paper.fee_bps.saturating_mul(100));
    Ok(Costs::new(amount, pool, gas, both, Some(why)).split(kept, paper.impact_bps))
}

/// A share in per cent, to two digits.
fn percent(part: Decimal, whole: Decimal) -> Option<Decimal> {
    let share = part.checked_div(whole)?.checked_mul(Decimal::ONE_HUNDRED)?;
    Some(share.round_dp(2).normalize())
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
