//! Commands from a chat: read by one process at a time, taken once, carried out once, answered at least once.
//!
//! A command is taken in one transaction with the place in the bot's updates, before anything is done. Its actor in the
//! audit has the update's number; so the process that takes over after a crash sees in the audit
//! whether it was carried out.

mod code;
mod reading;

use crate::{
    app::{Actor, App, AppError},
    domain::role::Role,
    notify::{Bot, ChatSettings},
    store::chat,
};

pub use crate::store::chat::Confirmable;
pub use reading::run;

/// What a person whom the settings name wrote.
#[derive(Debug, Clone)]
pub struct Said {
    /// What they may do.
    pub role: Role,
    /// Who they are in the audit trail.
    pub actor: Actor,
    /// What they wrote; if they typed a code back, the command that it confirms.
    pub text: String,
    /// What was shown of the order that a code confirms.
    pub confirmed: Option<String>,
}

/// What is answered.
#[derive(Debug, Clone)]
pub enum Reply {
    /// This.
    Text(String),
    /// The command is carried out when a code is typed back.
    Confirm {
        /// What it would do. If that has changed when the code comes, another code is asked for.
        would: String,
        /// What is known about it, such as prices.
        shown: Vec<String>,
    },
}

/// The face: reads commands and words their answers.
pub trait Converse: Send + Sync + 'static {
    /// Carries a command out.
    fn answer(&self, app: &App, said: Said) -> impl Future<Output = Reply> + Send;

    /// Whether other commands are carried out meanwhile: it takes long, and its order among others does not matter.
    fn takes_long(&self, text: &str) -> bool;
}

/// The bot, and who may command it.
struct Chat {
    bot: Bot,
    settings: ChatSettings,
}

impl Chat {
    fn of(app: &App) -> Result<Option<Self>, AppError> {
        let Some(receiver) = app.settings.notify.chat_receiver() else {
            return Ok(None);
        };
        let bot = Bot::of(receiver)
            .map_err(|error| AppError::Internal(format!("the HTTP client cannot be made: {error}")))?;
        Ok(bot.map(|bot| Self {
            bot,
            settings: app.settings.notify.chat.clone(),
        }))
    }
}

/// Who wrote an update, in the audit: the person's number, and the update's.
fn actor(person: i64, update: i64) -> Actor {
    Actor::new("telegram", &format!("{person}#{update}"))
}
