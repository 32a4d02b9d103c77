//! The kinds of receivers, one file each.

mod discord;
mod kind;
mod messenger;
mod slack;
mod telegram;
mod webhook;

pub use kind::ReceiverKind;
pub(super) use messenger::{Answer, Moved, ReceiverValues, Target};
pub use messenger::{Check, Form, ReceiverError, Setting};
