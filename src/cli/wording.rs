//! How the command line writes fields and advice of the application's messages: as flags and commands.

use crate::app::{
    AppError,
    message::{Advice, Field, Wording},
    policy::PolicyEntry,
};

/// The command line.
#[derive(Debug, Clone, Copy)]
pub(super) struct CommandLine;

impl Wording for CommandLine {
    fn field(&self, field: Field) -> String {
        flag(field)
    }

    fn advice(&self, advice: &Advice) -> String {
        match advice {
            // Shown on a line of its own, to be copied.
            Advice::AllowEntry(entry) => allow(entry),
            Advice::Set(assignment) => format!("--set {assignment}"),
            _ => format!("`lgi-mm {}`", command(advice)),
        }
    }
}

fn flag(field: Field) -> String {
    format!("--{}", field.to_string().replace('_', "-"))
}

fn command(advice: &Advice) -> String {
    match advice {
        Advice::Adopt { wallet, chain } => format!("reconcile --adopt {wallet} --chain {chain}"),
        Advice::Allow(job) => format!("policy allow '#{job}'"),
        Advice::AllowEntry(_) => "policy allow".to_owned(),
        Advice::CountIn => "reconcile --count-in JOB --cost USD".to_owned(),
        Advice::Daemon => "daemon".to_owned(),
        Advice::Edit { job, assignment } => {
            let job = job.map_or_else(|| "JOB".to_owned(), |job| job.to_string());
            format!("config edit {job} --set {assignment}")
        }
        Advice::ListJobs => "list".to_owned(),
        Advice::NewWallet => "wallet new".to_owned(),
        Advice::ImportWallet => "wallet import".to_owned(),
        Advice::CheckWallets => "wallet check".to_owned(),
        Advice::Pause(job) => format!("pause {job}"),
        Advice::CheckPolicy => "policy check".to_owned(),
        Advice::Reconcile => "reconcile".to_owned(),
        Advice::Resume => "resume JOB".to_owned(),
        Advice::RunScheduler => "scheduler".to_owned(),
        Advice::RunWorker => "worker".to_owned(),
        Advice::Set(assignment) => format!("start TOKEN --set {assignment}"),
        Advice::Start(token) => {
            let token = token.map_or_else(|| "ADDRESS".to_owned(), |token| token.to_string());
            format!("start {token} --mode accumulate")
        }
        Advice::Status => "status JOB".to_owned(),
        Advice::TestNotifications => "notify test".to_owned(),
    }
}

/// The command that writes `entry`.
fn allow(entry: &PolicyEntry) -> String {
    let mut words = vec![
        "lgi-mm policy allow".to_owned(),
        format!("--chain {}", entry.chain),
        format!("--wallet {}", entry.wallet),
    ];
    words.extend(entry.tokens.iter().map(|token| format!("--token {token}")));
    words.extend(entry.quotes.iter().map(|quote| format!("--quote {quote}")));
    for (field, value) in [
        (Field::MaxTradeUsd, entry.max_trade_usd.to_string()),
        (Field::MaxHourUsd, entry.max_hour_usd.to_string()),
        (Field::MaxDayUsd, entry.max_day_usd.to_string()),
        (Field::MaxGasUsd, entry.max_gas_usd.to_string()),
    ] {
        words.push(format!("{} {value}", flag(field)));
    }
    words.push(format!("--max-loss-bps {}", entry.max_loss_bps));
    words.push(format!("{} {}", flag(Field::NativeUsdMin), entry.native_usd_min));
    words.join(" ")
}

/// The text of an error.
pub(super) fn described(error: &AppError) -> String {
    match error {
        AppError::Advised { message, .. } => message.rendered(&CommandLine),
        _ => error.to_string(),
    }
}
