#![doc = include_str!("../README.md")]

mod ack;
mod backend;
mod channel;
mod config;
mod core;
mod disposition;
mod fetch;
mod group;
mod guard;
mod heartbeat;
mod listen;
mod outage;
mod push;
mod worker;

pub use crate::config::{QueueConfig, QueueConfigError};
pub use crate::group::{Completion, Group, Member};
pub use crate::push::{NewTask, PushError, push};
pub use crate::worker::{RunError, run};
