//! Services that run until the process stops: one loop for all of them.

mod outage;
mod repeat;
mod wakeups;

pub use outage::Outage;
pub use repeat::{Loop, Service};
pub use wakeups::Wakeups;
