//! The demo's jobs and chain. A face runs its processes and shows its progress.

mod jobs;
mod live;
mod run;
mod story;

pub use jobs::{pause_all, sell};
pub use live::{LiveDemo, Mover};
pub use run::{
    DemoServer, ReasonCount, Summary, create_jobs, environment, open_trades, queue_depth, server, summary,
};
pub(crate) use story::{Happened, InHand, Story, TakenOver};
