//! How rules take turns.

use super::{Decision, HoldReason, Plan};
use crate::units::MoneyError;

/// What one rule says.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verdict {
    /// Its condition is not met.
    Silent,
    /// Its condition is met, but it may not trade.
    Held(HoldReason),
    /// It wants to trade.
    Fires {
        /// What it wants.
        plan: Plan,
        /// What made the plan smaller than the rule would like; named if too little is left of it.
        clipped_by: Option<HoldReason>,
    },
}

impl Verdict {
    /// Fires, if the plan is anything at all.
    pub(crate) fn of(plan: Option<Plan>, clipped_by: Option<HoldReason>) -> Self {
        plan.map_or_else(
            || Self::Held(clipped_by.unwrap_or(HoldReason::BelowMinTrade)),
            |plan| Self::Fires { plan, clipped_by },
        )
    }
}

/// A rule, asked when its turn comes.
pub(crate) type Rule<'a> = &'a dyn Fn() -> Result<Verdict, MoneyError>;

/// Asks the rules in order. A rule that may not trade passes the turn on, so that it cannot keep the rules
/// behind it from trading; the first such reason is what is told if none trades.
pub(crate) fn first_to_fire(
    rules: &[Rule<'_>],
    limit: impl Fn(Plan) -> Result<Plan, HoldReason>,
    all_silent: HoldReason,
) -> Decision {
    let mut first_held = None;
    for rule in rules {
        let held = match rule() {
            Err(_) => return Decision::Hold(HoldReason::Arithmetic),
            Ok(Verdict::Silent) => continue,
            Ok(Verdict::Held(reason)) => reason,
            Ok(Verdict::Fires { plan, clipped_by }) => match limit(plan) {
                Ok(plan) => return Decision::Trade(plan),
                Err(HoldReason::BelowMinTrade) => clipped_by.unwrap_or(HoldReason::BelowMinTrade),
                Err(reason) => reason,
            },
        };
        first_held.get_or_insert(held);
    }
    Decision::Hold(first_held.unwrap_or(all_silent))
}
