//! The kinds of receivers, one file each.

mod discord;
mod kind;
mod service;
mod slack;
mod telegram;
mod webhook;

pub use kind::ReceiverKind;
pub use service::{Check, Form, ReceiverError, Setting};
pub(super) use service::{Given, Target};
