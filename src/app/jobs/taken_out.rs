//! What was taken out of live wallets: next to profit and never part of it, but its gas is paid like any other.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    app::whole::Whole,
    domain::{
        trade::TradeStatus,
        units::{Amount, MoneyError, Usd},
    },
    store::payouts::Payout,
};

/// What was taken out, and the gas of all withdrawals, failed ones included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakenOut {
    /// Withdrawals that paid.
    pub withdrawals: u64,
    /// What they paid, each at its price then; none if something has no price feed.
    pub value_usd: Option<Usd>,
    pub gas_usd: Usd,
    pub assets: Vec<TakenAsset>,
}

/// One asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakenAsset {
    pub chain: String,
    pub symbol: String,
    pub amount: Whole,
    /// At its price then; none if it has no price feed.
    pub value_usd: Option<Usd>,
}

/// Adds withdrawals up; `None` if none of them paid anything, gas included.
pub(super) fn sum<'a>(payouts: impl IntoIterator<Item = &'a Payout>) -> Result<Option<TakenOut>, MoneyError> {
    let mut assets: BTreeMap<_, TakenAsset> = BTreeMap::new();
    let (mut withdrawals, mut gas_usd) = (0_u64, Usd::ZERO);
    for paid in payouts {
        gas_usd = gas_usd.checked_add(paid.gas_usd)?;
        if paid.status != TradeStatus::Executed {
            continue;
        }
        withdrawals = withdrawals.saturating_add(1);
        let key = (paid.account.chain.clone(), paid.asset.to_string());
        let asset = assets.entry(key).or_insert_with(|| TakenAsset {
            chain: paid.account.chain.clone(),
            symbol: paid.symbol.clone(),
            amount: Whole::new(Amount::ZERO, paid.decimals),
            value_usd: Some(Usd::ZERO),
        });
        asset.amount.units = asset.amount.units.checked_add(paid.amount)?;
        asset.value_usd = both(asset.value_usd, paid.value_usd)?;
    }
    if withdrawals == 0 && gas_usd == Usd::ZERO {
        return Ok(None);
    }
    let mut values = assets.values().map(|asset| asset.value_usd);
    let value_usd = values.try_fold(Some(Usd::ZERO), both)?;
    Ok(Some(TakenOut {
        withdrawals,
        value_usd,
        gas_usd,
        assets: assets.into_values().collect(),
    }))
}

/// The sum, if both are known.
fn both(one: Option<Usd>, other: Option<Usd>) -> Result<Option<Usd>, MoneyError> {
    one.zip(other)
        .map(|(one, other)| one.checked_add(other))
        .transpose()
}
