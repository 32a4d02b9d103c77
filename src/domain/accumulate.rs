//! Mode accumulate: take-profit, dip-buy, DCA, in this order, one decision a tick.

use super::{
    config::{AccumulateConfig, ScheduleConfig},
    decision::{Decision, Facts, HoldReason},
};

/// What mode accumulate does with these facts.
#[must_use]
pub fn decide(config: &AccumulateConfig, schedule: &ScheduleConfig, facts: &Facts) -> Decision {
    let _ = (config, schedule, facts);
    Decision::Hold(HoldReason::NotDue)
}
