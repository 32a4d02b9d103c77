//! Every `--help`, and the exit codes it promises.

use lgi_mm::cli::Exit;
use strum::VariantArray;

use crate::terminal::{Ran, program};

const COMMANDS: &[&str] = &[
    "",
    "init",
    "start",
    "order",
    "basket",
    "basket start",
    "basket pause",
    "basket resume",
    "basket liquidate",
    "pause",
    "resume",
    "liquidate",
    "adopt",
    "release",
    "status",
    "list",
    "remove",
    "trades",
    "logs",
    "pnl",
    "export",
    "config",
    "config show",
    "config edit",
    "config check",
    "config keys",
    "backtest",
    "replay",
    "pools",
    "tick",
    "daemon",
    "serve",
    "mcp",
    "console",
    "token",
    "token new",
    "token list",
    "token revoke",
    "scheduler",
    "worker",
    "migrate",
    "prune",
    "db",
    "backup",
    "restore",
    "info",
    "service",
    "service install",
    "service status",
    "service remove",
    "doctor",
    "health",
    "notify",
    "notify list",
    "notify test",
    "reconcile",
    "withdraw",
    "wallet",
    "wallet new",
    "wallet import",
    "wallet list",
    "wallet sweep",
    "policy",
    "policy show",
    "policy check",
    "policy allow",
    "policy stop",
    "policy resume",
    "paper",
    "paper wallet",
    "paper fund",
    "paper fault",
    "prices",
    "devnet",
    "demo",
    "man",
    "completions",
];

fn help(command: &str) -> String {
    let mut args: Vec<&str> = command.split_whitespace().collect();
    args.push("--help");
    let ran = Ran::of(&program(&args).output().expect("our own program runs"));
    assert_eq!(ran.code, 0, "{command}: {}", ran.stderr);
    ran.stdout
}

#[test]
fn every_help_says_what_it_said() {
    for command in COMMANDS {
        let name = if command.is_empty() {
            "top".to_owned()
        } else {
            command.replace(' ', "_")
        };
        insta::assert_snapshot!(format!("help_{name}"), help(command));
    }
}

#[test]
fn the_help_lists_every_command_that_has_a_snapshot_and_no_other() {
    let listed: Vec<String> = help("")
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // A description that continues on the next line is indented further.
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect();
    let known: Vec<&str> = COMMANDS
        .iter()
        .copied()
        .filter(|name| !name.is_empty() && !name.contains(' '))
        .collect();
    assert_eq!(listed, known);
}

#[test]
fn the_help_documents_every_exit_code() {
    let text = help("");
    for exit in Exit::VARIANTS {
        assert!(
            text.lines()
                .any(|line| line.trim_start().starts_with(&format!("{}  ", exit.code()))),
            "{exit:?}"
        );
    }
    assert_eq!(
        Exit::VARIANTS.len(),
        text.lines()
            .filter(|l| l.trim_start().starts_with(|c: char| c.is_ascii_digit()))
            .count()
    );
}
