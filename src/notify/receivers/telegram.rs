//! Telegram: a bot that writes to a chat, group or channel.

use serde_json::{Value, json};

use super::messenger::{Check, Form, Given, Messenger, ReceiverError, Setting, Target, http_url};
use crate::{
    domain::{secret::Secret, span::Span},
    notify::{
        message::{Message, html},
        notice::Notice,
    },
};

const API: &str = "https://api.telegram.org";

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
    fn min_interval(&self, given: &Given) -> Span {
        let group = given.get(CHAT).starts_with(['-', '@']);
        Span::from_secs(if group { 3 } else { 1 })
    }

    fn target(&self, given: &Given) -> Result<Target, ReceiverError> {
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

    fn body(&self, given: &Given, notice: &Notice) -> Value {
        json!({
            "chat_id": given.get(CHAT),
            "text": Message::of(notice).text(|title| format!("<b>{}</b>", html(title)), html),
            "parse_mode": "HTML",
            "link_preview_options": { "is_disabled": true },
        })
    }

    fn error_field(&self) -> &'static str {
        "description"
    }
}

fn is_chat(text: &str) -> bool {
    text.strip_prefix('@').is_some_and(|name| !name.is_empty()) || text.parse::<i64>().is_ok()
}
