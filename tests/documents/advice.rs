//! What a message tells its reader to do can be done: every command that a text of the program names parses, every flag
//! is one, and every key of the settings or of a job exists. The texts are read from the source, so that a new one is
//! tried without anybody thinking of it.

use std::{collections::BTreeSet, fs, path::Path};

use clap::{CommandFactory, Parser};
use lgi_mm::{cli::Cli, config::Settings, domain::config::KEYS};
use serde_json::Value;

use crate::pages::root;

/// A text of the program and its file.
struct Text {
    file: String,
    text: String,
}

/// The text of a literal that begins after its quote, and how long it was; an escaped line break is left out with the
/// indentation behind it, as the compiler does.
fn literal(source: &str) -> (String, usize) {
    let mut text = String::new();
    let mut chars = source.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (text, at + 1),
            '\\' => match chars.next() {
                Some((_, '\n')) => while chars.next_if(|(_, next)| next.is_whitespace()).is_some() {},
                Some((_, 'n')) => text.push('\n'),
                Some((_, other)) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    (text, source.len())
}

/// The literals of a file, without comments, raw strings (SQL and pages) and tests.
fn literals(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().expect("a beginning");
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, below)| below);
        } else if rest.starts_with("r\"") || rest.starts_with("r#\"") {
            let end = if rest.starts_with("r#") { "\"#" } else { "\"" };
            rest = &rest[3..];
            rest = rest.split_once(end).map_or("", |(_, behind)| behind);
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\") {
            rest = &rest[3..];
        } else if c == '"' {
            let (text, long) = literal(&rest[1..]);
            // A page that is generated is tried as a page.
            if !text.starts_with("# ") {
                found.push(text);
            }
            rest = &rest[1 + long..];
        } else {
            rest = &rest[c.len_utf8()..];
        }
    }
    found
}

fn texts_below(dir: &Path, found: &mut Vec<Text>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            texts_below(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs") {
            let source = fs::read_to_string(&path).expect("a source file");
            let file = path.display().to_string();
            let of = |text| Text {
                file: file.clone(),
                text,
            };
            found.extend(literals(&source).into_iter().map(of));
        }
    }
}

fn texts() -> Vec<Text> {
    let mut found = Vec::new();
    for dir in ["src", "crates/domain/src"] {
        texts_below(&root().join(dir), &mut found);
    }
    found
}

/// The commands that a text names: in backticks, or after a colon or at the start of a line.
fn commands(text: &str) -> Vec<String> {
    let known: BTreeSet<String> = Cli::command()
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    let mut found = Vec::new();
    for (at, _) in text.match_indices("lgi-mm ") {
        let (before, command) = text.split_at(at);
        let quoted = before.ends_with('`');
        let first = command["lgi-mm ".len()..]
            .split_whitespace()
            .next()
            .unwrap_or_default();
        let first = first.trim_end_matches(['`', ',', ';', '.', ':']);
        // `lgi-mm needs` is no command, unless it is written as one.
        if quoted || known.contains(first) {
            let ends: &[char] = if quoted {
                &['`']
            } else {
                &['`', '\n', ';', ',', '(']
            };
            let end = command.find(ends).unwrap_or(command.len());
            found.push(command[..end].trim_end_matches(['.', ' ']).to_owned());
        }
    }
    found
}

/// What stands for a value: `{job}` of a format string, and the names that readers replace.
fn is_placeholder(word: &str) -> bool {
    word.contains('{') || (word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase()))
}

/// Texts that are hashed, and that nobody reads.
const SEEDS: [&str; 3] = ["lgi-mm paper block", "lgi-mm paper pool", "lgi-mm paper wallet"];

/// Values that a placeholder may stand for.
const VALUES: [&str; 3] = ["7", "base", "0x0000000000000000000000000000000000000001"];

/// Whether the command parses with some value for each placeholder.
fn parses(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    let holes = words.iter().filter(|word| is_placeholder(word)).count();
    let count = u32::try_from(holes).expect("few");
    (0..VALUES.len().pow(count)).any(|mut choice| {
        let filled = words.iter().map(|word| {
            if !is_placeholder(word) {
                return word.trim_matches('\'').to_owned();
            }
            let value = VALUES[choice % VALUES.len()];
            choice /= VALUES.len();
            // `#{job}`, `KEY={}`
            match word.split_once('{').zip(word.rsplit_once('}')) {
                Some(((before, _), (_, after))) => format!("{before}{value}{after}").replace('\'', ""),
                None => value.to_owned(),
            }
        });
        Cli::try_parse_from(filled.collect::<Vec<_>>()).is_ok()
    })
}

#[test]
fn every_command_that_a_message_names_can_be_given() {
    let mut named = 0;
    for Text { file, text } in texts() {
        for command in commands(&text) {
            // Filled by code: `lgi-mm {command}`.
            if command == "lgi-mm {command}" || SEEDS.iter().any(|seed| text.starts_with(seed)) {
                continue;
            }
            assert!(parses(&command), "{file}: `{command}` is no command, in: {text}");
            named += 1;
        }
    }
    assert!(named > 40, "the texts are not found any more: {named}");
    assert!(!parses("lgi-mm recncile") && !parses("lgi-mm reconcile --adpt {wallet}"));
    assert_eq!(commands("run `lgi-mm recncile` again"), ["lgi-mm recncile"]);
    assert_eq!(commands("details: lgi-mm status {}"), ["lgi-mm status {}"]);
}

/// Commands that show something or run what is configured: following them changes no refusal.
const SHOWS: [&str; 18] = [
    "config keys",
    "config show",
    "daemon",
    "doctor",
    "info",
    "list",
    "logs",
    "policy check",
    "policy show",
    "pools",
    "scheduler",
    "status",
    "token list",
    "trades",
    "wallet check",
    "wallet list",
    "worker",
    "notify test",
];

/// What a text tells its reader to run, and the test that runs it and sees it help. Each row is of every text in which
/// the words stand.
const FOLLOWED: [(&str, &str); 18] = [
    (
        "lgi-mm remove",
        "an_order_is_placed_filled_replaced_by_the_next_and_cancelled",
    ),
    ("lgi-mm start", "what_an_error_gives_to_run_ends_it"),
    ("lgi-mm migrate", "what_an_error_gives_to_run_ends_it"),
    (
        "lgi-mm config edit {",
        "an_edit_of_an_old_version_is_refused_and_its_draft_is_kept",
    ),
    (
        "lgi-mm wallet new",
        "a_wallet_is_taken_over_listed_and_never_shown",
    ),
    (
        "lgi-mm wallet import",
        "a_wallet_is_taken_over_listed_and_never_shown",
    ),
    (
        "lgi-mm policy allow",
        "without_a_policy_nothing_is_signed_and_one_command_allows_a_job",
    ),
    (
        "lgi-mm policy resume",
        "a_policy_is_written_shown_stopped_and_goes_on",
    ),
    (
        "lgi-mm restore",
        "a_restored_ledger_is_the_ledger_row_by_row_and_its_live_wallets_are_halted",
    ),
    (
        "lgi-mm reconcile --count-in",
        "a_backup_from_before_the_first_trade_buys_nothing_again",
    ),
    (
        "lgi-mm reconcile --adopt",
        "a_new_database_buys_nothing_with_a_wallet_that_has_a_past_until_it_is_adopted",
    ),
    (
        "lgi-mm reconcile --apply",
        "a_backup_that_nothing_followed_goes_on_after_it_is_reconciled",
    ),
    (
        "lgi-mm reconcile",
        "a_restored_older_database_signs_nothing_until_it_is_reconciled",
    ),
    (
        "lgi-mm init",
        "by_flags_alone_it_tells_what_a_buy_costs_writes_a_job_and_its_lines_work",
    ),
    (
        "lgi-mm withdraw",
        "what_no_job_holds_goes_where_the_policy_says_and_trading_goes_on",
    ),
    (
        "lgi-mm token new",
        "jobs_are_listed_as_the_command_line_lists_them_and_to_holders_of_a_token_only",
    ),
    (
        "lgi-mm console",
        "a_link_opens_the_console_once_and_for_five_minutes",
    ),
    (
        "lgi-mm resume",
        "filters_choose_jobs_and_one_named_job_is_refused_as_before",
    ),
];

#[test]
fn every_command_that_a_message_gives_is_followed_by_a_test() {
    let mut tests = String::new();
    sources_below(&root().join("tests"), &mut tests);
    let mut used = BTreeSet::new();
    for Text { file, text } in texts() {
        for command in commands(&text) {
            let words = command.trim_start_matches("lgi-mm ");
            let shows = SHOWS.iter().any(|shown| words.starts_with(shown));
            if shows || words == "{command}" || SEEDS.iter().any(|seed| text.starts_with(seed)) {
                continue;
            }
            let row = FOLLOWED.iter().find(|(given, _)| command.starts_with(given));
            let Some((given, test)) = row else {
                panic!("{file}: no test is named that follows `{command}`, in: {text}");
            };
            assert!(tests.contains(&format!("fn {test}(")), "there is no test {test}");
            used.insert(*given);
        }
    }
    let unused: Vec<&str> = FOLLOWED
        .iter()
        .map(|(given, _)| *given)
        .filter(|given| !used.contains(given))
        .collect();
    assert!(unused.is_empty(), "no message gives these any more: {unused:?}");
}

fn sources_below(dir: &Path, text: &mut String) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources_below(&path, text);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("a source file"));
        }
    }
}

/// Flags of a command and of those below it.
fn flags(command: &clap::Command, found: &mut BTreeSet<String>) {
    let own = command.get_arguments().filter_map(|argument| argument.get_long());
    found.extend(own.map(|long| format!("--{long}")));
    command.get_subcommands().for_each(|below| flags(below, found));
}

/// Flags of other programs that our texts name.
const FOREIGN_FLAGS: [&str; 0] = [];

#[test]
fn every_flag_that_a_message_names_exists() {
    let mut known = BTreeSet::from(["--help".to_owned(), "--version".to_owned()]);
    flags(&Cli::command(), &mut known);
    let mut named = 0;
    for Text { file, text } in texts() {
        // One word alone is an argument for another program.
        if !text.contains(' ') {
            continue;
        }
        for (at, _) in text.match_indices("--") {
            let word: String = text[at..]
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            let word = word.trim_end_matches('-');
            if word.len() > 3 && text[..at].ends_with([' ', '`', '(', '"', '\n']) {
                assert!(
                    known.contains(word) || FOREIGN_FLAGS.contains(&word),
                    "{file}: there is no {word}, in: {text}"
                );
                named += 1;
            }
        }
    }
    assert!(named > 40, "the texts are not found any more: {named}");
}

fn leaves(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
    found.insert(prefix.to_owned());
    if let Value::Object(below) = value {
        for (key, value) in below {
            let path = if prefix.is_empty() {
                key.clone()
            } else {
                format!("{prefix}.{key}")
            };
            leaves(&path, value, found);
        }
    }
}

/// Keys of the settings and of a job, and the sections that hold them.
fn keys() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let settings = serde_json::to_value(Settings::default()).expect("settings are data");
    leaves("", &settings, &mut found);
    for key in KEYS {
        for (at, _) in key.name.match_indices('.') {
            found.insert(key.name[..at].to_owned());
        }
        found.insert(key.name.to_owned());
    }
    found
}

#[test]
fn every_key_that_a_message_names_exists() {
    let known = keys();
    let sections: BTreeSet<&str> = known
        .iter()
        .filter_map(|key| key.split_once('.').map(|(section, _)| section))
        .collect();
    let mut named = 0;
    for Text { file, text } in texts() {
        // Columns of tables, and names of events.
        let is_sql = ["SELECT ", "UPDATE ", "INSERT ", "DELETE ", "CREATE ", "FROM "]
            .iter()
            .any(|word| text.contains(word));
        if is_sql || !text.contains(' ') {
            continue;
        }
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.';
        for word in text.split(|c: char| !is_part(c)) {
            let word = word.trim_matches('.');
            let Some((section, _)) = word.split_once('.') else {
                continue;
            };
            // Tables that are optional or have names of their owner's choice, and names of files.
            let free = ["chains", "notify.receivers", "wallet.kms"]
                .iter()
                .any(|table| word.starts_with(table));
            if !sections.contains(section) || free || word.ends_with(".toml") || word.contains("..") {
                continue;
            }
            assert!(known.contains(word), "{file}: there is no key {word}, in: {text}");
            named += 1;
        }
    }
    assert!(named > 40, "the texts are not found any more: {named}");
}
