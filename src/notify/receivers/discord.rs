//! Discord: a channel's webhook.

use serde_json::{Value, json};

use super::messenger::{
    Answer, Messenger, ReceiverError, ReceiverValues, Setting, Target, URL, posted_to_url, remedy_of_url,
};
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
    fn min_interval(&self, _: &ReceiverValues) -> Span {
        Span::from_millis(500)
    }

    fn target(&self, given: &ReceiverValues) -> Result<Target, ReceiverError> {
        posted_to_url(given)
    }

    /// By Discord's own code: <https://docs.discord.com/developers/topics/opcodes-and-status-codes>.
    fn remedy(&self, given: &ReceiverValues, answer: &Answer) -> Option<String> {
        let url = given.dotted(URL.key);
        Some(match answer.field("/code").and_then(|code| code.as_i64()) {
            Some(10_015) => {
                format!("the webhook was deleted: create a new one in the channel's settings and set {url}")
            }
            Some(50_027) => format!("the webhook's key is wrong: copy its URL again and set {url}"),
            Some(10_003) => format!("the channel was deleted: create a webhook in another one and set {url}"),
            Some(50_001 | 50_013) => {
                format!("the webhook may not post there: allow it, or create another one and set {url}")
            }
            Some(220_001) => {
                format!("the channel is a forum: add ?thread_id=.. to {url}, or use a text channel")
            }
            _ => return remedy_of_url(given, answer),
        })
    }

    /// A text that does not fit, is empty, or that moderation blocks.
    fn refuses_for_good(&self, answer: &Answer) -> bool {
        match answer.field("/code").and_then(|code| code.as_i64()) {
            // Of an invalid form: which part of it. Another one may be in the URL.
            Some(50_035) => answer.field("/errors/content").is_some(),
            code => matches!(code, Some(40_005 | 50_006 | 50_109 | 200_000 | 240_000)),
        }
    }

    fn body(&self, _: &ReceiverValues, notice: &Notice) -> Value {
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
