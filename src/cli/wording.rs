//! How the command line writes fields and advice of the application's messages: as flags and commands.

use crate::app::{
    AppError,
    message::{Advice, Field, StartFrom, Wording},
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

/// The text of an error.
pub(super) fn described(error: &AppError) -> String {
    match error {
        AppError::Advised { message, .. } => message.rendered(&CommandLine),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use clap::CommandFactory as _;
    use strum::VariantArray as _;

    use super::*;
    use crate::{cli::Cli, domain::ids::JobId};

    fn entry() -> PolicyEntry {
        let usd = |whole: i64| crate::domain::units::Usd::new(whole.into()).expect("USD");
        PolicyEntry {
            chain: "base".to_owned(),
            wallet: Address::ZERO,
            chain_id: None,
            tokens: vec![Address::repeat_byte(1), Address::repeat_byte(2)],
            quotes: vec![crate::app::policy::PolicyQuote::Native],
            max_trade_usd: usd(10),
            max_hour_usd: usd(20),
            max_day_usd: usd(30),
            max_gas_usd: usd(2),
            max_loss_bps: 1_000,
            max_deadline: crate::domain::span::Span::from_secs(600),
            native_usd_min: crate::domain::units::Price::new(1_000.into()).expect("a price"),
            withdraw_to: vec![],
            routers: vec![],
            stop: false,
            contracts: Default::default(),
        }
    }

    /// Whether a command or one of its subcommands has this flag.
    fn has(command: &clap::Command, long: &str) -> bool {
        command
            .get_arguments()
            .any(|argument| argument.get_long() == Some(long))
            || command.get_subcommands().any(|below| has(below, long))
    }

    #[test]
    fn every_field_is_a_flag() {
        let command = Cli::command();
        for field in Field::VARIANTS {
            let flag = flag(*field);
            assert!(has(&command, flag.trim_start_matches("--")), "{flag}");
        }
    }

    /// One of each kind.
    fn every_advice() -> Vec<Advice> {
        vec![
            Advice::Adopt {
                wallet: Address::ZERO,
                chain: "base".to_owned(),
            },
            Advice::Allow(JobId(7)),
            Advice::AllowEntry(Box::new(entry())),
            Advice::AllowToken(Address::repeat_byte(7)),
            Advice::CheckPolicy,
            Advice::CheckWallets,
            Advice::CountIn,
            Advice::Daemon,
            Advice::Edit {
                job: Some(JobId(7)),
                assignment: "price.sources=..",
            },
            Advice::FundPaper {
                token: Address::repeat_byte(7),
                chain: "base".to_owned(),
                decimals: 18,
            },
            Advice::AdoptTokens {
                tokens: "12.5".to_owned(),
                cost: "30".to_owned(),
            },
            Advice::Buy(Address::repeat_byte(7)),
            Advice::ImportWallet,
            Advice::ListJobs,
            Advice::ListKeys,
            Advice::ListTokens,
            Advice::ListTrades,
            Advice::ListWallets,
            Advice::NewWallet,
            Advice::Pause(JobId(7)),
            Advice::Remove(JobId(7)),
            Advice::Reconcile,
            Advice::Resume,
            Advice::RevokeToken("phone".to_owned()),
            Advice::RunScheduler,
            Advice::RunWorker,
            Advice::Set("schedule.jitter=1s".into()),
            Advice::ShowPolicy,
            Advice::Start(None),
            Advice::Start(Some(Address::ZERO)),
            Advice::StartFrom(Box::new(StartFrom {
                token: Address::repeat_byte(3),
                chain: "base".to_owned(),
                file: "degen.toml".into(),
                symbol: Some("DEGEN".to_owned()),
                decimals: Some(6),
                live: true,
            })),
            Advice::Status,
            Advice::TestNotifications,
            Advice::WritePolicy,
        ]
    }

    #[test]
    fn every_advice_is_a_command_that_can_be_given() {
        for advice in every_advice() {
            let given = match &advice {
                Advice::Set(_) => format!("lgi-mm start TOKEN {}", CommandLine.advice(&advice)),
                // Placeholders of numbers.
                _ => CommandLine
                    .advice(&advice)
                    .replace("--count-in JOB --cost USD", "--count-in 7 --cost 1")
                    .replace("--amount USD", "--amount 1")
                    .replace("=AMOUNT", "=1.5"),
            };
            let words = given.trim_matches('`').split(' ');
            let parsed = <Cli as clap::Parser>::try_parse_from(words);
            assert!(
                parsed.is_ok(),
                "{given}: {}",
                parsed.err().map(|error| error.to_string()).unwrap_or_default()
            );
        }
    }
}
