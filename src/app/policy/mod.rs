//! The policy: what the keys of this machine may sign.
//!
//! The policy is a file of the machine that holds the keys, and most of this works without a database. A change is
//! logged at `info` with its actor; it has an audit row only where it is made for a job, since only then a database is
//! open.

mod allow;
mod job;
pub(in crate::app) mod need;
mod show;
mod stop;
mod usage;

pub use allow::{AllowRequest, Allowed, Limits, Proposal, Subject, propose, write};
pub use job::{JobPolicy, Missing, announce, check, missing};
pub use need::name_contracts;
pub use show::{KeyView, PolicyView, show, show_of};
pub use stop::{PolicyKey, Stopped, set_stop};
pub use usage::export;

pub use crate::chain::policy::{Entry as PolicyEntry, Quote as PolicyQuote};
pub use crate::domain::router::ExtraRouter as PolicyRouter;
