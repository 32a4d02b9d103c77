//! What a signed message from outside may ask of a job.

use serde::Serialize;
use strum::{Display, EnumString, VariantArray};

use crate::name::read_in_any_case;

/// One request of a signal. Each is a thing that the job's owner could do by hand, and none is larger than the job's
/// configuration allows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Display, EnumString, VariantArray, Serialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum SignalAction {
    /// Stop new trades.
    Pause,
    /// Continue after a pause by the same signal.
    Resume,
    /// Evaluate the job's rules once, now.
    Tick,
    /// Place the job's order to buy once more.
    Order,
}

read_in_any_case!(SignalAction);
