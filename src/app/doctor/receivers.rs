//! Checks delivery of notifications by our own records, without sending; `lgi-mm notify test` sends one.

use super::check::{Check, CheckStatus};
use crate::app::message::{Advice, message};
use crate::{
    app::{context::App, error::AppError},
    config::Settings,
    notify::Bot,
    store::deliveries::{self, DeliveryStatus},
};

const WHAT: &str = "receivers of messages";
const CHAT: &str = "commands from a chat";

pub(super) async fn examine(settings: &Settings, app: &App) -> Result<Vec<Check>, AppError> {
    let receivers = settings.notify.receivers();
    let mut unknown = deliveries::named_by_jobs(&app.pool).await?;
    unknown.retain(|name| receivers.iter().all(|receiver| receiver.name != *name));
    let mut bad = Vec::new();
    if !unknown.is_empty() {
        let seen = format!("jobs refer to {}", unknown.join(", "));
        let edit = Advice::Edit {
            job: None,
            assignment: "notify.receivers=..",
        };
        let fix = message!["not in these settings: add them, or run ", edit];
        bad.push(Check::bad(CheckStatus::Warn, "unknown receivers", seen, fix));
    }
    if receivers.is_empty() && bad.is_empty() {
        return Ok(vec![Check::ok(WHAT, "none in the settings")]);
    }
    bad.extend(chat(settings).await);
    let statuses = deliveries::statuses(&app.pool).await?;
    for receiver in &receivers {
        if let Err(error) = receiver.check().await {
            let fix = message![
                "messages wait until it can be read; then run ",
                Advice::TestNotifications,
            ];
            bad.push(Check::bad(CheckStatus::Fail, "receiver", error, fix));
        }
    }
    bad.extend(
        statuses
            .iter()
            .filter(|status| status.failures > 0)
            .map(|status| {
                let seen = format!(
                    "{}: {} messages wait; {}",
                    status.name,
                    status.waiting,
                    status.last_error.as_deref().unwrap_or_default()
                );
                let fix = message![
                    "waiting messages are sent once it works again; try ",
                    Advice::TestNotifications,
                ];
                Check::bad(CheckStatus::Warn, "receiver fails", seen, fix)
            }),
    );
    // Of a receiver that was removed it is as its owner wants.
    let own = |name: &str| receivers.iter().any(|receiver| receiver.name == name);
    let lost = statuses
        .iter()
        .filter(|status| status.given_up_today > 0 && own(&status.name));
    bad.extend(lost.map(given_up));
    if bad.iter().all(|check| check.status == CheckStatus::Ok) {
        let names: Vec<String> = receivers.into_iter().map(|receiver| receiver.name).collect();
        bad.push(Check::ok(WHAT, names.join(", ")));
    }
    Ok(bad)
}

/// Messages that never arrive.
fn given_up(status: &DeliveryStatus) -> Check {
    let seen = format!(
        "{}: {} given up in the last 24 hours; the last one: {}",
        status.name,
        status.given_up_today,
        status.given_up_error.as_deref().unwrap_or_default()
    );
    let fix = message![
        "they are not sent again, and trading does not depend on them: change what the last one names, and try ",
        Advice::TestNotifications,
    ];
    Check::bad(CheckStatus::Warn, "messages given up", seen, fix)
}

/// Who may command from a chat, and whether the bot answers from here. It asks Telegram who the bot is, and takes no
/// update away.
async fn chat(settings: &Settings) -> Option<Check> {
    let receiver = settings.notify.chat_receiver()?;
    let may = settings.notify.chat.summary();
    let asked = match Bot::of(receiver) {
        Ok(bot) => bot?.answers().await.map_err(|error| error.to_string()),
        Err(error) => Err(format!("the HTTP client cannot be made: {error}")),
    };
    Some(match asked {
        Ok(()) => Check::ok(CHAT, format!("{may}; the bot answers")),
        Err(error) => {
            let fix = "no command is taken until it answers: correct what the error names, and check that this machine reaches Telegram";
            Check::bad(CheckStatus::Fail, CHAT, format!("{may}; {error}"), fix)
        }
    })
}
