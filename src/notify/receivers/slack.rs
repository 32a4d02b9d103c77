//! Slack: a channel's incoming webhook.

use serde_json::{Value, json};

use super::messenger::{Given, Messenger, ReceiverError, Setting, Target, URL, posted_to_url};
use crate::{
    domain::span::Span,
    notify::{
        message::{Message, html},
        notice::Notice,
    },
};

pub(super) struct Slack;

impl Messenger for Slack {
    fn settings(&self) -> &'static [Setting] {
        &[URL]
    }

    /// One message a second.
    fn min_interval(&self, _: &Given) -> Span {
        Span::from_secs(1)
    }

    fn target(&self, given: &Given) -> Result<Target, ReceiverError> {
        posted_to_url(given)
    }

    /// Slack wants the same three characters escaped as HTML does.
    fn body(&self, _: &Given, notice: &Notice) -> Value {
        json!({
            "text": Message::of(notice).text(html, html),
            "mrkdwn": false,
            "link_names": false,
            "unfurl_links": false,
            "unfurl_media": false,
        })
    }
}
