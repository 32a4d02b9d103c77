//! Evaluation order of rules.

use super::{
    hold::HoldReason,
    plan::{Decision, Plan},
};
use crate::units::MoneyError;

/// The answer of one rule.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RuleOutcome {
    /// Its condition is not met.
    Silent,
    /// Its condition is met, but it may not trade.
    Held(HoldReason),
    /// It wants to trade.
    Fires {
        /// Its trade.
        plan: Plan,
        /// The limit that reduced the plan; reported if too little is left of it.
        clipped_by: Option<HoldReason>,
    },
}

impl RuleOutcome {
    /// Fires, unless the plan is empty.
    pub(crate) fn of(plan: Option<Plan>, clipped_by: Option<HoldReason>) -> Self {
        plan.map_or_else(
            || Self::Held(clipped_by.unwrap_or(HoldReason::BelowMinTrade)),
            |plan| Self::Fires { plan, clipped_by },
        )
    }
}

/// A rule, evaluated lazily.
pub(crate) type Rule<'a> = &'a dyn Fn() -> Result<RuleOutcome, MoneyError>;

/// Evaluates the rules in order. A rule that may not trade passes to the next, so that it cannot block the rules
/// behind it; if none trades, the first such reason is returned.
pub(crate) fn first_to_fire(
    rules: &[Rule<'_>],
    limit: impl Fn(Plan) -> Result<Plan, HoldReason>,
    all_silent: HoldReason,
) -> Decision {
    let mut first_held = None;
    for rule in rules {
        let held = match rule() {
            Err(_) => return Decision::Hold(HoldReason::Arithmetic),
            Ok(RuleOutcome::Silent) => continue,
            Ok(RuleOutcome::Held(reason)) => reason,
            Ok(RuleOutcome::Fires { plan, clipped_by }) => match limit(plan) {
                Ok(plan) => return Decision::Trade(plan),
                Err(HoldReason::BelowMinTrade) => clipped_by.unwrap_or(HoldReason::BelowMinTrade),
                Err(reason) => reason,
            },
        };
        first_held.get_or_insert(held);
    }
    Decision::Hold(first_held.unwrap_or(all_silent))
}
