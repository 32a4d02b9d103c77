//! How the command line writes fields and advice of the application's messages: as flags and commands.

use crate::app::AppError;

pub(super) use crate::commands::CommandLine;

/// The text of an error.
pub(super) fn described(error: &AppError) -> String {
    error.rendered(&CommandLine)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use clap::CommandFactory as _;
    use strum::VariantArray as _;

    use super::*;
    use crate::{
        app::{
            message::{Advice, AdviceKind, Field, StartFrom, Wording as _},
            policy::PolicyEntry,
        },
        cli::Cli,
        domain::ids::JobId,
    };

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
            for flag in CommandLine.field(*field).split(", ") {
                assert!(has(&command, flag.trim_start_matches("--")), "{flag}");
            }
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
            Advice::Pools(Address::repeat_byte(7)),
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

    /// Each remedy as each face says it: no face shows the name of one in the program.
    #[test]
    fn every_face_has_words_of_its_own_for_every_remedy() {
        let mut shown = String::new();
        for advice in every_advice() {
            let said = [
                ("CLI", CommandLine.advice(&advice)),
                ("API", crate::api::wording::Http.advice(&advice)),
                ("chat", crate::chat::words::Chat.advice(&advice)),
                ("MCP", crate::mcp::wording::Tools.advice(&advice)),
            ];
            shown.push_str(&format!("{advice}\n"));
            for (face, words) in said {
                let name = advice.to_string();
                assert!(
                    words.contains([' ', '/', '-']) || words.starts_with('`'),
                    "{face}: {words}"
                );
                // A tool of MCP may have the same name.
                let tool = face == "MCP" && words == format!("`{name}`");
                assert!(
                    tool || !name.contains('_') || !words.contains(&name),
                    "{face}: {words}"
                );
                shown.push_str(&format!("  {face:5}{words}\n"));
            }
        }
        insta::assert_snapshot!("remedies", shown);
    }

    /// Nobody adds a remedy without trying it.
    #[test]
    fn every_remedy_is_tried() {
        let tried: std::collections::BTreeSet<String> =
            every_advice().iter().map(ToString::to_string).collect();
        let all: std::collections::BTreeSet<String> =
            AdviceKind::VARIANTS.iter().map(ToString::to_string).collect();
        assert_eq!(tried, all);
    }
}
