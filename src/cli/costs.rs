//! What a buy and a sale right after it cost, in words.

use rust_decimal::Decimal;

use crate::{app::costs::Costs, domain::brief};

/// A share in per cent, or a dash.
pub(super) fn percent(share: Option<Decimal>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{share} %"))
}

/// `a buy of 10.00 USD and a sale right after it cost 0.31 USD, 3.1 %: 0.30 fees and price impact (pool 1 % each way,
/// impact 0.05 %), up to 0.01 gas`
pub(super) fn sentence(costs: &Costs) -> String {
    format!(
        "a buy of {} USD and a sale right after it cost {} USD, {}: {} fees and price impact{}, up to {} gas{}",
        brief::usd(costs.amount_usd),
        brief::usd(costs.round_trip_usd),
        percent(costs.round_trip_pct),
        brief::usd(costs.pool_usd),
        keepers(costs),
        brief::usd(costs.gas_usd),
        costs
            .estimated
            .as_ref()
            .map_or_else(String::new, |why| format!(" (an estimate: {why})")),
    )
}

/// The same for a line of `status`: `3.1 % of a buy of 10.00 USD: 0.30 fees and price impact (pool 1 % each way), 0.01
/// gas`
pub(super) fn line(costs: &Costs) -> String {
    format!(
        "{} of a buy of {} USD: {} fees and price impact{}, {} gas{}",
        percent(costs.round_trip_pct),
        brief::usd(costs.amount_usd),
        brief::usd(costs.pool_usd),
        keepers(costs),
        brief::usd(costs.gas_usd),
        if costs.estimated.is_some() {
            ", estimated"
        } else {
            ""
        },
    )
}

/// Who keeps how much of it.
fn keepers(costs: &Costs) -> String {
    let named = |name: &str, share: Option<Decimal>| {
        let share = share.filter(|share| !share.is_zero())?;
        Some(format!("{name} {share} %"))
    };
    let pool = named("pool", costs.pool_fee_pct).map(|pool| format!("{pool} each way"));
    let known: Vec<String> = [
        pool,
        named("its hook", costs.hook_fee_pct),
        named("the token", costs.tax_pct),
        named("impact", costs.impact_pct),
    ]
    .into_iter()
    .flatten()
    .collect();
    if known.is_empty() {
        String::new()
    } else {
        format!(" ({})", known.join(", "))
    }
}
