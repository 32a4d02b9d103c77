//! Fields and advice of the application's messages as flags and commands of the command line. It writes them so; other
//! faces do for what has no request of theirs and is done on the machine.

use crate::app::{
    message::{Advice, Field, StartFrom, Wording},
    policy::PolicyEntry,
};

/// The command line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommandLine;

/// What is done on the machine, in the words of a face that is elsewhere.
pub(crate) fn on_the_machine(advice: &Advice) -> String {
    let command = CommandLine.advice(advice);
    match advice {
        // To be copied as it is.
        Advice::AllowEntry(_) => command,
        _ => format!("{command} on the machine"),
    }
}

impl Wording for CommandLine {
    fn field(&self, field: Field) -> String {
        flag(field)
    }

    fn advice(&self, advice: &Advice) -> String {
        let command = match advice {
            // Shown on a line of its own, to be copied.
            Advice::AllowEntry(entry) => return allow(entry),
            Advice::Set(assignment) => return format!("--set {assignment}"),
            Advice::Adopt { wallet, chain } => format!("reconcile --adopt {wallet} --chain {chain}"),
            Advice::AdoptTokens { tokens, cost } => format!("adopt JOB {tokens} --cost {cost}"),
            Advice::Allow(job) => format!("policy allow '#{job}'"),
            Advice::AllowToken(token) => format!("policy allow {token}"),
            Advice::CountIn => "reconcile --count-in JOB --cost USD".to_owned(),
            Advice::Daemon => "daemon".to_owned(),
            Advice::Edit { job, assignment } => {
                let job = job.map_or_else(|| "JOB".to_owned(), |job| job.to_string());
                format!("config edit {job} --set {assignment}")
            }
            Advice::FundPaper {
                token,
                chain,
                decimals,
            } => format!("paper fund --token {token}=AMOUNT --chain {chain} --decimals {decimals}"),
            Advice::ListJobs => "list".to_owned(),
            Advice::ListKeys => "config keys".to_owned(),
            Advice::ListTokens => "token list".to_owned(),
            Advice::ListTrades => "trades".to_owned(),
            Advice::ListWallets => "wallet list".to_owned(),
            Advice::NewWallet => "wallet new".to_owned(),
            Advice::ImportWallet => "wallet import".to_owned(),
            Advice::CheckWallets => "wallet check".to_owned(),
            Advice::Buy(token) => format!("order buy {token} --amount USD"),
            Advice::Pause(job) => format!("pause {job}"),
            Advice::Remove(job) => format!("remove {job}"),
            Advice::Pools(token) => format!("pools {token}"),
            Advice::CheckPolicy => "policy check".to_owned(),
            Advice::Reconcile => "reconcile".to_owned(),
            Advice::Resume => "resume JOB".to_owned(),
            Advice::RevokeToken(name) => format!("token revoke {name}"),
            Advice::RunScheduler => "scheduler".to_owned(),
            Advice::RunWorker => "worker".to_owned(),
            Advice::Start(token) => {
                let token = token.map_or_else(|| "ADDRESS".to_owned(), |token| token.to_string());
                format!("start {token} --mode accumulate")
            }
            Advice::StartFrom(from) => start_from(from),
            Advice::ShowPolicy => "policy show".to_owned(),
            Advice::Status => "status JOB".to_owned(),
            Advice::TestNotifications => "notify test".to_owned(),
            Advice::WritePolicy => "policy allow JOB".to_owned(),
        };
        format!("`lgi-mm {command}`")
    }
}

fn start_from(from: &StartFrom) -> String {
    let mut words = vec![
        format!("start {} --mode accumulate", from.token.to_checksum(None)),
        format!("--chain {}", from.chain),
        format!("--config {}", quoted(&from.file.display().to_string())),
    ];
    words.extend(
        from.symbol
            .as_ref()
            .map(|symbol| format!("{} {}", flag(Field::Symbol), quoted(symbol))),
    );
    words.extend(
        from.decimals
            .map(|decimals| format!("{} {decimals}", flag(Field::Decimals))),
    );
    words.extend(from.live.then(|| flag(Field::Live)));
    words.join(" ")
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn flag(field: Field) -> String {
    // Two flags on the command line, one field elsewhere.
    if field == Field::Realm {
        return "--live, --paper".to_owned();
    }
    format!("--{}", field.to_string().replace('_', "-"))
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
