//! Evaluation order of rules.

use std::ops::ControlFlow;

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

/// The rules of a mode that were asked so far.
pub(crate) struct Asked<L> {
    limit: L,
    first_held: Option<HoldReason>,
}

impl<L: Fn(Plan) -> Result<Plan, HoldReason>> Asked<L> {
    /// Takes the answer of the next rule. Breaks if that is the decision.
    #[inline]
    pub(crate) fn next(&mut self, answer: Result<RuleOutcome, MoneyError>) -> ControlFlow<Decision> {
        let held = match answer {
            Err(_) => return ControlFlow::Break(Decision::Hold(HoldReason::Arithmetic)),
            Ok(RuleOutcome::Silent) => return ControlFlow::Continue(()),
            Ok(RuleOutcome::Held(reason)) => reason,
            Ok(RuleOutcome::Fires { plan, clipped_by }) => match (self.limit)(plan) {
                Ok(plan) => return ControlFlow::Break(Decision::Trade(plan)),
                Err(HoldReason::BelowMinTrade) => clipped_by.unwrap_or(HoldReason::BelowMinTrade),
                Err(reason) => reason,
            },
        };
        self.first_held.get_or_insert(held);
        ControlFlow::Continue(())
    }
}

/// Asks the rules in the order in which `ask` names them. A rule that may not trade passes to the next, so that it
/// cannot block the rules behind it; if none trades, the first such reason is returned.
#[inline]
pub(crate) fn first_to_fire<L: Fn(Plan) -> Result<Plan, HoldReason>>(
    limit: L,
    all_silent: HoldReason,
    ask: impl FnOnce(&mut Asked<L>) -> ControlFlow<Decision>,
) -> Decision {
    let mut asked = Asked {
        limit,
        first_held: None,
    };
    match ask(&mut asked) {
        ControlFlow::Break(decision) => decision,
        ControlFlow::Continue(()) => Decision::Hold(asked.first_held.unwrap_or(all_silent)),
    }
}
