//! The bot of a Telegram receiver, as one that is written to: its updates, and its answers.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    receiver::Receiver,
    receivers::ReceiverKind,
    send::{QUIET_MAX, asked_pause, hide},
};
use crate::domain::foreign::{Foreign, causes};

/// How long Telegram holds a question for updates open.
const HELD: Duration = Duration::from_secs(25);
/// Longest wait for an answer, beyond that.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most updates of an answer.
const BATCH: u32 = 20;
/// Largest answer that is read, bytes.
const ANSWER_MAX: usize = 1 << 20;
/// Longest command that is read, characters.
const TEXT_MAX: usize = 200;
/// Longest part of an error that is shown, characters.
const QUOTE_MAX: usize = 200;

/// One update. What is no message with text of a person has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Its number; they grow while the bot is used.
    pub id: i64,
    /// The message.
    pub written: Option<Written>,
}

/// What a person wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Number of the chat.
    pub chat: i64,
    /// Nobody else reads there.
    pub private: bool,
    /// Number of its author.
    pub person: i64,
    /// When, Unix seconds, by Telegram's clock.
    pub at: i64,
    /// The first 200 characters.
    pub text: String,
    /// It is another one's text.
    pub forwarded: bool,
}

/// Longest part of the pause that Telegram asks for that a question waits; beyond that it fails at once.
const QUIET_WAIT: Duration = Duration::from_secs(30);

/// Why the bot was not answered. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum BotError {
    /// Nothing can be read or said now; later it may.
    #[error("{0}")]
    Later(String),
    /// This text cannot be said in that chat.
    #[error("{0}")]
    Never(String),
}

/// The bot of a receiver of the kind Telegram.
#[derive(Debug, Clone)]
pub struct Bot {
    http: reqwest::Client,
    receiver: Receiver,
    /// Telegram asked to be left alone until then.
    quiet: Arc<Mutex<Option<Instant>>>,
}

impl Bot {
    /// `None`: the receiver is of another kind.
    ///
    /// # Errors
    /// [`reqwest::Error`] if there is no TLS.
    pub fn of(receiver: Receiver) -> Result<Option<Self>, reqwest::Error> {
        if receiver.kind != ReceiverKind::Telegram {
            return Ok(None);
        }
        let http = reqwest::Client::builder()
            .user_agent(concat!("lgi-mm/", env!("CARGO_PKG_VERSION")))
            // The token is in the URL: it must not reach another server.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .build()?;
        Ok(Some(Self {
            http,
            receiver,
            quiet: Arc::default(),
        }))
    }

    /// The chat that the receiver writes to, if it is one with a number.
    #[must_use]
    pub fn own_chat(&self) -> Option<i64> {
        self.receiver.chat()
    }

    /// The bot's number, which is no secret.
    ///
    /// # Errors
    /// [`BotError`] if the token cannot be read.
    pub async fn number(&self) -> Result<i64, BotError> {
        let target = self.receiver.target().await;
        let target = target.map_err(|error| BotError::Later(error.to_string()))?;
        let number = target.hidden.first().and_then(|token| token.0.split_once(':'));
        let number = number
            .and_then(|(number, _)| number.parse().ok())
            .filter(|number| *number > 0);
        number.ok_or_else(|| BotError::Later("the token does not begin with the bot's number".to_owned()))
    }

    /// Whether Telegram knows the bot. It takes no update away.
    ///
    /// # Errors
    /// [`BotError`].
    pub async fn answers(&self) -> Result<(), BotError> {
        self.call("getMe", &json!({}), PATIENCE).await.map(drop)
    }

    /// Waits up to 25 s for updates from this one on; `None`: from the first that was not taken.
    ///
    /// # Errors
    /// [`BotError`].
    pub async fn updates(&self, next: Option<i64>) -> Result<Vec<Update>, BotError> {
        let mut asked = json!({ "timeout": HELD.as_secs(), "limit": BATCH, "allowed_updates": ["message"] });
        if let Some(next) = next {
            asked["offset"] = next.into();
        }
        let said = self
            .call("getUpdates", &asked, HELD.saturating_add(PATIENCE))
            .await?;
        let updates = said.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut updates: Vec<Update> = updates.iter().filter_map(update).collect();
        updates.sort_by_key(|update| update.id);
        Ok(updates)
    }

    /// Writes plain text: nothing in it is markup or a link with a preview.
    ///
    /// # Errors
    /// [`BotError`]; the text may have arrived all the same.
    pub async fn say(&self, chat: i64, text: &str) -> Result<(), BotError> {
        let body = json!({ "chat_id": chat, "text": text, "link_preview_options": { "is_disabled": true } });
        self.call("sendMessage", &body, PATIENCE).await.map(drop)
    }

    /// Waits as long as Telegram asked to be left alone.
    async fn be_quiet(&self, method: &str) -> Result<(), BotError> {
        let until = *self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        });
        if left > QUIET_WAIT {
            let secs = left.as_secs();
            return Err(BotError::Later(format!(
                "{method}: Telegram asked to be left alone for {secs} s more"
            )));
        }
        tokio::time::sleep(left).await;
        Ok(())
    }

    /// Notes how long Telegram asks to be left alone.
    fn note_quiet(&self, said: &Value) {
        if let Some(asked) = asked_pause(said) {
            let until = Instant::now().checked_add(asked.min(QUIET_MAX));
            *self.quiet.lock().unwrap_or_else(PoisonError::into_inner) = until;
        }
    }

    async fn call(&self, method: &str, body: &Value, patience: Duration) -> Result<Value, BotError> {
        let target = self.receiver.target().await;
        let target = target.map_err(|error| BotError::Later(error.to_string()))?;
        let shown = |text: &str| {
            let text = hide(text, &target.hidden);
            Foreign::within(&text, QUOTE_MAX).as_str().trim().to_owned()
        };
        self.be_quiet(method).await?;
        let mut url = target.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop().push(method);
        }
        let request = self
            .http
            .post(url)
            .timeout(patience)
            .header("content-type", "application/json");
        let sent = request.body(body.to_string()).send().await;
        let mut response = sent.map_err(|error| BotError::Later(shown(&causes(&error.without_url()))))?;
        let status = response.status();
        let mut bytes = Vec::new();
        loop {
            let chunk = response.chunk().await;
            match chunk.map_err(|error| BotError::Later(shown(&causes(&error.without_url()))))? {
                Some(chunk) if bytes.len().saturating_add(chunk.len()) <= ANSWER_MAX => {
                    bytes.extend_from_slice(&chunk)
                }
                Some(_) => return Err(BotError::Later("the answer is too long".to_owned())),
                None => break,
            }
        }
        let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() && said["ok"] == true {
            return Ok(said["result"].clone());
        }
        self.note_quiet(&said);
        let why = said["description"].as_str().unwrap_or_default();
        let meant = Meant::of(status.as_u16(), why);
        let why = format!(
            "{method}: HTTP {status}: {}{}",
            shown(why),
            remedy(meant, &self.receiver.name)
        );
        Err(match meant {
            Meant::Refused => BotError::Never(why),
            Meant::Busy | Meant::Token | Meant::Others => BotError::Later(why),
        })
    }
}

/// What an answer that is no success means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meant {
    /// The next try may succeed.
    Busy,
    /// The token is not known.
    Token,
    /// Another program reads the updates.
    Others,
    /// The same request is refused at every try.
    Refused,
}

impl Meant {
    fn of(status: u16, description: &str) -> Self {
        match status {
            // An unknown chat is 400 to Telegram itself.
            404 if description.to_lowercase().contains("chat not found") => Self::Refused,
            401 | 404 => Self::Token,
            409 => Self::Others,
            408 | 425 | 429 => Self::Busy,
            400..=499 => Self::Refused,
            _ => Self::Busy,
        }
    }
}

/// What its owner does about it.
fn remedy(meant: Meant, receiver: &str) -> String {
    match meant {
        Meant::Token => format!("; the token is wrong or was revoked: set notify.receivers.{receiver}.token or token_file"),
        Meant::Others => "; another program reads this bot's updates, or it has a webhook: end that, or give lgi-mm a bot of its own".to_owned(),
        Meant::Busy | Meant::Refused => String::new(),
    }
}

/// `None` of what has no number.
fn update(said: &Value) -> Option<Update> {
    let id = said["update_id"].as_i64()?;
    Some(Update {
        id,
        written: written(&said["message"]),
    })
}

fn written(message: &Value) -> Option<Written> {
    let from = &message["from"];
    // A bot, or a person who hides behind a group or channel.
    if from["is_bot"] != false || !message["sender_chat"].is_null() || !message["via_bot"].is_null() {
        return None;
    }
    Some(Written {
        chat: message["chat"]["id"].as_i64()?,
        private: message["chat"]["type"] == "private",
        person: from["id"].as_i64()?,
        at: message["date"].as_i64()?,
        text: message["text"].as_str()?.chars().take(TEXT_MAX).collect(),
        forwarded: !message["forward_origin"].is_null() || !message["forward_date"].is_null(),
    })
}
