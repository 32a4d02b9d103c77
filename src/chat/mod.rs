//! Commands from a chat: what they are called, who may give them, and how they are answered. Plain text only: nothing
//! that a token or a node is called can be markup.

mod answer;
mod command;
pub(crate) mod words;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::app::{
    App,
    chat::{self, Converse, Reply, Said},
};

/// Takes commands from the chat of the settings until `stop`; without one it ends at once.
pub async fn serve(app: Arc<App>, stop: CancellationToken) {
    chat::run(app, Telegram, stop).await;
}

/// A chat of Telegram.
struct Telegram;

impl Converse for Telegram {
    async fn answer(&self, app: &App, said: Said) -> Reply {
        answer::answer(app, said).await
    }

    /// A tick waits for its trade.
    fn takes_long(&self, text: &str) -> bool {
        matches!(command::read(text), Ok(command::Command::Tick(_)))
    }
}
