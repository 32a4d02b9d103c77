//! Discord: a channel's webhook.

use serde_json::{Value, json};

use super::messenger::{Given, Messenger, ReceiverError, Setting, Target, URL, posted_to_url};
use crate::{
    domain::span::Span,
    notify::{
        message::{Message, clip},
        notice::Notice,
    },
};

/// Longest message, in characters.
const TEXT_MAX: usize = 2_000;
/// No preview of anything that looks like a link.
const SUPPRESS_EMBEDS: u32 = 1 << 2;

pub(super) struct Discord;

impl Messenger for Discord {
    fn settings(&self) -> &'static [Setting] {
        &[URL]
    }

    /// Five messages in two seconds.
    fn min_interval(&self, _: &Given) -> Span {
        Span::from_millis(500)
    }

    fn target(&self, given: &Given) -> Result<Target, ReceiverError> {
        posted_to_url(given)
    }

    fn body(&self, _: &Given, notice: &Notice) -> Value {
        let text = Message::of(notice).text(|title| format!("**{}**", markdown(title)), markdown);
        json!({
            "content": clip(&text, TEXT_MAX),
            "allowed_mentions": { "parse": [] },
            "flags": SUPPRESS_EMBEDS,
        })
    }
}

/// A backslash before everything that could be markup.
fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation()
            && !matches!(
                c,
                '.' | ',' | ';' | '?' | '!' | '%' | '/' | '\'' | '"' | '$' | '='
            )
        {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
