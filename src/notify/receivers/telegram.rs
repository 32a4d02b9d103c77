//! Telegram: a bot that writes to a chat, group or channel.

use serde_json::{Value, json};

use super::messenger::{
    Answer, Check, Form, Messenger, Moved, ReceiverError, ReceiverValues, Setting, Target, http_url,
};
use crate::{
    domain::{secret::Secret, span::Span},
    notify::{
        message::{Message, html},
        notice::Notice,
    },
};

const API: &str = "https://api.telegram.org";

/// How the API says that it knows no such chat.
const UNKNOWN_CHAT: &[&str] = &[
    "chat not found",
    "chat_id is empty",
    "peer_id_invalid",
    "user not found",
];
/// How the API begins to say that it does not take a text.
const REFUSED_TEXT: &[&str] = &[
    "message is too long",
    "message_too_long",
    "can't parse",
    "message text is empty",
    "message_empty",
    "text must be non-empty",
    "text must be encoded in utf-8",
    "strings must be encoded in utf-8",
    "entities_too_long",
    "entity_",
];

const TOKEN: &str = "token";
const CHAT: &str = "chat_id";
const API_URL: &str = "api_url";

pub(super) struct Telegram;

impl Messenger for Telegram {
    fn settings(&self) -> &'static [Setting] {
        &[
            Setting {
                key: TOKEN,
                form: Form::Secret { what: "token" },
            },
            Setting {
                key: CHAT,
                form: Form::Required(Check {
                    fits: is_chat,
                    allowed: "a chat's number, such as -1001234567890, or \"@channel\"",
                    shown: true,
                }),
            },
            Setting {
                key: API_URL,
                form: Form::Optional(Check {
                    fits: |text| http_url(text).is_some(),
                    allowed: "a URL that begins with https:// or http://",
                    shown: false,
                }),
            },
        ]
    }

    /// One message a second in a chat, twenty a minute in a group.
    fn min_interval(&self, given: &ReceiverValues) -> Span {
        let group = given.get(CHAT).starts_with(['-', '@']);
        Span::from_secs(if group { 3 } else { 1 })
    }

    fn target(&self, given: &ReceiverValues) -> Result<Target, ReceiverError> {
        let token = given.get(TOKEN);
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-');
        let api = match given.get(API_URL) {
            "" => API,
            url => url.trim_end_matches('/'),
        };
        let url = Some(format!("{api}/bot{token}/sendMessage"))
            .filter(|_| token.contains(':') && token.chars().all(fits))
            .and_then(|text| http_url(&text))
            .ok_or_else(|| ReceiverError::NotToken {
                key: given.dotted(TOKEN),
            })?;
        Ok(Target {
            url,
            key: None,
            hidden: vec![Secret(token.to_owned())],
        })
    }

    fn body(&self, given: &ReceiverValues, notice: &Notice) -> Value {
        json!({
            "chat_id": given.get(CHAT),
            "text": Message::of(notice).text(|title| format!("<b>{}</b>", html(title)), html),
            "parse_mode": "HTML",
            "link_preview_options": { "is_disabled": true },
        })
    }

    /// Telegram tells errors apart by their description only.
    fn remedy(&self, given: &ReceiverValues, answer: &Answer) -> Option<String> {
        let (chat, token) = (given.dotted(CHAT), given.dotted(TOKEN));
        if let Some(new) = new_chat(answer) {
            return Some(format!("the group is now {new}: set {chat} = {new}"));
        }
        Some(match answer.status {
            // An unknown token is 401; one that cannot be a token is 404, and to servers between so is an unknown chat.
            401 | 404 if !answer.says(UNKNOWN_CHAT) => format!(
                "the token is wrong or was revoked: ask @BotFather for it and set {token} or {token}_file"
            ),
            400 | 403 if answer.says(&["was blocked by the user"]) => {
                "you blocked the bot: unblock it in Telegram".to_owned()
            }
            400 | 403
                if answer.says(&[
                    "was kicked",
                    "not a member",
                    "chat_write_forbidden",
                    "not enough rights",
                    "have no rights",
                    "need administrator rights",
                ]) =>
            {
                format!("add the bot to the chat and let it write there, or set another {chat}")
            }
            400 | 403 if answer.says(&["can't initiate conversation"]) => {
                "write /start to the bot in Telegram first".to_owned()
            }
            400 | 403 | 404 if answer.says(UNKNOWN_CHAT) => {
                format!("the bot knows no such chat: add it there, or write /start to it, and check {chat}")
            }
            400 | 403
                if answer.says(&[
                    "user is deactivated",
                    "chat was deactivated",
                    "chat was deleted",
                    "can't send messages to bots",
                    "can't send messages to the user",
                    "topic_closed",
                    "topic_deleted",
                ]) =>
            {
                format!("nobody can be reached there any more: set another {chat}")
            }
            403 => format!("Telegram does not let the bot write there: check the bot's rights and {chat}"),
            _ => return None,
        })
    }

    /// The text itself: too long, empty, or not readable as markup.
    fn refuses_for_good(&self, answer: &Answer) -> bool {
        let said = answer.field("/description");
        let said = said
            .as_ref()
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_lowercase();
        let why = said.strip_prefix("bad request: ").unwrap_or(&said);
        match answer.status {
            400 => REFUSED_TEXT.iter().any(|refused| why.starts_with(refused)),
            status => status == 413,
        }
    }

    /// A group that became a supergroup has a new number, which Telegram tells the bot that wrote to the old one. Only
    /// a group moves: a person or a channel with a name keeps its address.
    fn moved(&self, given: &ReceiverValues, answer: &Answer) -> Option<Moved> {
        let old: i64 = given.get(CHAT).parse().ok()?;
        let new = new_chat(answer).filter(|new| old < 0 && *new < 0 && *new != old)?;
        let mut moved = given.clone();
        moved.values.insert(CHAT, Secret(new.to_string()));
        Some(Moved {
            given: moved,
            advice: format!("the group is now {new}: set {} = {new}", given.dotted(CHAT)),
        })
    }

    fn error_field(&self) -> &'static str {
        "description"
    }
}

fn new_chat(answer: &Answer) -> Option<i64> {
    answer.field("/parameters/migrate_to_chat_id")?.as_i64()
}

fn is_chat(text: &str) -> bool {
    text.strip_prefix('@').is_some_and(|name| !name.is_empty()) || text.parse::<i64>().is_ok()
}
