//! The inputs of the rules in one tick, and their answer.

mod facts;
mod hold;
mod last_fills;
mod peers;
mod plan;
mod reason;
mod rule;

pub use facts::{Facts, MovingAverage, Position, Spent};
pub use hold::HoldReason;
pub use last_fills::{LastFills, ProfitTaken, RuleFill};
pub use peers::{Peer, Peers};
pub use plan::{Decision, Plan};
pub use reason::{Reason, Side};
pub(crate) use rule::{RuleOutcome, first_to_fire};
