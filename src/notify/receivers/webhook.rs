//! A program of the owner: JSON, signed as Standard Webhooks specifies.

use serde_json::{Value, json};

use super::messenger::{
    Answer, Form, Messenger, ReceiverError, ReceiverValues, Setting, Target, URL, posted_to_url,
    remedy_of_url,
};
use crate::{
    domain::{secret::Secret, span::Span},
    notify::{message::Message, notice::Notice, sign::Key},
};

const SECRET: &str = "secret";

pub(super) struct Webhook;

impl Messenger for Webhook {
    fn settings(&self) -> &'static [Setting] {
        &[
            URL,
            Setting {
                key: SECRET,
                form: Form::Secret { what: "secret" },
            },
        ]
    }

    fn min_interval(&self, _: &ReceiverValues) -> Span {
        Span::ZERO
    }

    fn target(&self, given: &ReceiverValues) -> Result<Target, ReceiverError> {
        let mut target = posted_to_url(given)?;
        let secret = given.get(SECRET);
        let key = Key::new(secret).map_err(|source| ReceiverError::Weak {
            key: given.dotted(SECRET),
            source,
        })?;
        target.hidden.push(Secret(secret.to_owned()));
        target.key = Some(key);
        Ok(target)
    }

    fn remedy(&self, given: &ReceiverValues, answer: &Answer) -> Option<String> {
        remedy_of_url(given, answer)
    }

    fn body(&self, _: &ReceiverValues, notice: &Notice) -> Value {
        json!({
            "id": notice.id,
            "type": notice.event,
            "version": notice.version,
            "severity": notice.severity().to_string(),
            "timestamp": notice.happened_at,
            "job": notice.job.as_ref().map(|job| json!({
                "id": job.id, "realm": job.realm, "chain": job.chain, "token": job.token, "symbol": job.symbol,
                "decimals": job.decimals, "quote_symbol": job.quote_symbol, "quote_decimals": job.quote_decimals,
            })),
            "text": Message::of(notice).text(str::to_owned, str::to_owned),
            "data": notice.payload,
        })
    }
}
