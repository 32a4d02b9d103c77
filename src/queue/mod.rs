//! The task queue: apalis' worker and tables, with a backend of our own that works in groups.
//!
//! A task is one row of `apalis.jobs`. Workers claim due rows in groups, run one handler for a whole
//! group, and acknowledge each row by itself. Delivery is at least once: a task may be delivered twice or
//! late, never lost; effects are fenced by the rows they write, not by the queue.
//!
//! What a claimed row can count on:
//! - it is locked by a worker name that is never used again, and each claim raises its attempt; an
//!   acknowledgement that does not carry both is refused;
//! - while its process lives the lease is renewed, however long the handler takes, on connections that
//!   nothing else can exhaust; when the process dies the row is handed over one lease later;
//! - a group that fails as a whole (panic, timeout, lost worker) is retried one by one, so that a poisonous
//!   task cannot take its neighbours down twice;
//! - no database error stops fetching, acknowledging or renewing: each goes on when the database does.
//!
//! The statements on the queue's rows are checked when they run and not when they compile, because the tables
//! belong to the migrations of another crate.

mod ack;
mod backend;
mod config;
mod fetch;
mod group;
mod guard;
pub mod handlers;
mod heartbeat;
mod listen;
mod outage;
mod push;
pub mod scheduler;
pub mod tasks;
mod worker;

pub use self::config::{QueueConfig, QueueConfigError};
pub use self::group::{Group, Member, Outcome};
pub use self::push::{NewTask, PushError, push};
pub use self::worker::{RunError, run};

/// Where apalis' trigger on `apalis.jobs` announces rows that are due.
const CHANNEL: &str = "apalis::job::insert";
