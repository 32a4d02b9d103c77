//! Slack: a channel's incoming webhook.

use serde_json::{Value, json};

use super::messenger::{
    Answer, Messenger, ReceiverError, ReceiverValues, Setting, Target, URL, posted_to_url, remedy_of_url,
};
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
    fn min_interval(&self, _: &ReceiverValues) -> Span {
        Span::from_secs(1)
    }

    fn target(&self, given: &ReceiverValues) -> Result<Target, ReceiverError> {
        posted_to_url(given)
    }

    /// Slack answers one word: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>.
    fn remedy(&self, given: &ReceiverValues, answer: &Answer) -> Option<String> {
        let url = given.dotted(URL.key);
        let remedies: [(&[&str], &str); 6] = [
            (
                &["channel_is_archived"],
                "the channel is archived: restore it, or add the app to another channel and set",
            ),
            (
                &["channel_not_found"],
                "the channel was deleted: add the app to another channel and set",
            ),
            (
                &["no_service", "no_active_hooks"],
                "the webhook was removed or disabled: create a new one and set",
            ),
            (
                &["invalid_token", "no_team", "team_disabled"],
                "the webhook or its workspace is no longer valid: create a new one and set",
            ),
            (
                &["user_not_found"],
                "the person whom the webhook writes to is gone: create a new one and set",
            ),
            (
                &[
                    "action_prohibited",
                    "posting_to_general_channel_denied",
                    "not_in_channel",
                    "is_read_only",
                ],
                "an administrator does not let the webhook post there: allow it, or add the app to another channel and set",
            ),
        ];
        let known = remedies.iter().find(|(words, _)| answer.says(words));
        known
            .map(|(_, remedy)| format!("{remedy} {url}"))
            .or_else(|| remedy_of_url(given, answer))
    }

    fn refuses_for_good(&self, answer: &Answer) -> bool {
        answer.status == 400 && ["invalid_payload", "no_text"].contains(&answer.text.trim())
    }

    /// Slack wants the same three characters escaped as HTML does.
    fn body(&self, _: &ReceiverValues, notice: &Notice) -> Value {
        json!({
            "text": Message::of(notice).text(html, html),
            "mrkdwn": false,
            "link_names": false,
            "unfurl_links": false,
            "unfurl_media": false,
        })
    }
}
