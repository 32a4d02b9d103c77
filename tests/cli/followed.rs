//! Advice is followed: what an error tells its reader to run is run, and then what was refused goes through.
#![expect(clippy::panic, reason = "a test that cannot continue fails")]

use crate::terminal::{QUIET, Ran, TOKEN, Terminal};

const START: [&str; 4] = ["start", TOKEN, "--mode", "accumulate"];

/// What can be asked of a job, and whether it is allowed is said of.
const COMMANDS: [&str; 6] = ["start", "pause", "resume", "liquidate", "release", "remove"];

fn ask(terminal: &Terminal, command: &str) -> Ran {
    match command {
        "start" => terminal.run(&[&START[..], &QUIET].concat()),
        other => terminal.run(&[other, TOKEN, "--yes"][..if confirms(other) { 3 } else { 2 }]),
    }
}

fn confirms(command: &str) -> bool {
    matches!(command, "liquidate" | "release")
}

/// A job that has bought once and is in this status.
async fn in_status(status: &str) -> Terminal {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    terminal.ok(&["tick", TOKEN]);
    sqlx::query("DELETE FROM fill_watches")
        .execute(&terminal.pool)
        .await
        .expect("final");
    match status {
        "RUNNING" => {}
        "PAUSED" => {
            terminal.ok(&["pause", TOKEN]);
        }
        "LIQUIDATING" => {
            terminal.ok(&["liquidate", TOKEN, "--over", "1h", "--slices", "3", "--yes"]);
        }
        "IDLE" => {
            terminal.ok(&["pause", TOKEN]);
            terminal.ok(&["release", TOKEN, "--yes"]);
        }
        "ERROR" => {
            sqlx::query(
                "UPDATE jobs SET status = 'ERROR', status_before_stop = 'RUNNING', failures_in_row = 5",
            )
            .execute(&terminal.pool)
            .await
            .expect("an error");
        }
        other => panic!("{other}"),
    }
    terminal
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_allowed_now_is_what_an_error_says_is_allowed() {
    for status in ["IDLE", "RUNNING", "PAUSED", "LIQUIDATING", "ERROR"] {
        let mut allowed = Vec::new();
        let mut said: Vec<Vec<String>> = Vec::new();
        for command in COMMANDS {
            let terminal = in_status(status).await;
            let ran = ask(&terminal, command);
            match ran.stderr.split_once("allowed now: ") {
                // What changes nothing is no error, and not offered.
                None if ran.code == 0 && ran.stdout.contains("already") => {}
                None => {
                    assert!(
                        ran.code == 0 || !ran.stderr.contains("cannot be"),
                        "{}",
                        ran.stderr
                    );
                    if ran.code == 0 {
                        allowed.push(command.to_owned());
                    }
                }
                Some((_, list)) => {
                    assert_eq!(ran.code, 4, "{}", ran.stderr);
                    said.push(list.trim().split(", ").map(ToOwned::to_owned).collect());
                }
            }
        }
        assert!(!said.is_empty(), "{status}: something is refused");
        for mut list in said {
            list.sort_by_key(|named| COMMANDS.iter().position(|command| command == named));
            assert_eq!(list, allowed, "{status}");
        }
    }
}

/// The commands that a text gives, without those that only show something.
fn commands(text: &str) -> Vec<Vec<String>> {
    const LOOKS: [&str; 6] = ["list", "status", "trades", "daemon", "config keys", "policy show"];
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|command| command.strip_prefix("lgi-mm "))
        .filter(|command| !LOOKS.iter().any(|look| command.starts_with(look)))
        .map(|command| command.split(' ').map(ToOwned::to_owned).collect())
        .collect()
}

/// Runs `args`, and while they are refused, every command that the refusal gives; returns what was run.
fn follow(terminal: &Terminal, args: &[&str], filled: &[(&str, &str)]) -> Vec<String> {
    let mut followed = Vec::new();
    for _ in 0..4 {
        let ran = terminal.run(args);
        if ran.code == 0 {
            return followed;
        }
        let advised = commands(&ran.stderr);
        assert!(!advised.is_empty(), "{args:?} says nothing to do: {}", ran.stderr);
        for mut command in advised {
            for word in &mut command {
                for (placeholder, value) in filled {
                    *word = word.replace(placeholder, value);
                }
            }
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            terminal.ok(&words);
            followed.push(command[0].clone());
        }
    }
    panic!("{args:?} is refused for ever, although this was done: {followed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_error_gives_to_run_ends_it() {
    // A second start with another configuration.
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    let other = [&START[..], &QUIET, &["--set", "accumulate.dca_amount_usd=20"]].concat();
    let filled = [("key=value", "accumulate.dca_amount_usd=20")];
    assert_eq!(follow(&terminal, &other, &filled), ["config"]);
    // Another plan for what is being sold.
    let terminal = in_status("LIQUIDATING").await;
    assert_eq!(follow(&terminal, &["liquidate", TOKEN], &[]), ["pause"]);
    // Tokens that the paper wallet does not hold.
    let terminal = in_status("PAUSED").await;
    let adopt = ["adopt", TOKEN, "900000000", "--cost", "5"];
    let filled = [("AMOUNT", "1900000000")];
    assert_eq!(follow(&terminal, &adopt, &filled), ["paper"]);
    // A job that is not there.
    let terminal = Terminal::new().await;
    let filled = [("ADDRESS", TOKEN)];
    assert_eq!(follow(&terminal, &["pause", TOKEN], &filled), ["start"]);
    // A job of another mode, and one that knows its token by another name.
    let terminal = in_status("IDLE").await;
    let liquidity = [
        &["start", TOKEN, "--mode", "liquidity", "--budget", "500"],
        &QUIET[..],
    ]
    .concat();
    assert_eq!(follow(&terminal, &liquidity, &[]), ["remove"]);
    let terminal = in_status("IDLE").await;
    let renamed = [&START[..], &QUIET[..4], &["--symbol", "OTHER"]].concat();
    assert_eq!(follow(&terminal, &renamed, &[]), ["remove"]);
    // A database without tables.
    let terminal = Terminal::on(testkit::empty_db().await);
    assert_eq!(follow(&terminal, &["list"], &[]), ["migrate"]);
}
