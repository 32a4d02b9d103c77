//! Notifications: Telegram, Discord, Slack and signed webhooks.
//!
//! Events come from the outbox, which is written in the transaction that causes them. Each event is fanned out to its
//! receivers once (`store::deliveries`), and each receiver gets it at its own pace: at least once, oldest first where
//! possible, never faster than its limit. Trading never waits for it: a courier has one tokio task for each receiver
//! and holds nothing in the database while it talks to the outside.
//!
//! Schedulers and daemons run the courier. There are few of them and always one, while workers come and go with the
//! load. Any number may run it at once.
//!
//! A kind of receiver is one file in `receivers`, listed in `receivers::kind`.

mod bot;
mod chat;
mod courier;
mod delivery;
mod message;
mod notice;
mod receiver;
mod receivers;
mod send;
mod settings;
mod sign;

pub use bot::{Bot, BotError, Update, Written};
pub use chat::ChatSettings;
pub use courier::run;
pub use notice::{Notice, TEST};
pub use receiver::{Receiver, ReceiverSettings};
pub use receivers::{Check, Form, ReceiverError, ReceiverKind, Setting};
pub use send::{Delivered, Failed, Sender};
pub use settings::NotifySettings;
pub use sign::{Key, WeakKey};
