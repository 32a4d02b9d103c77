//! What README and docs name exists: commands, configuration keys, metrics, files, links, variables and words of the
//! program; and what they quote of its limits is what the code has.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use clap::{Parser, error::ErrorKind};
use lgi_mm::{
    cli::Cli,
    config::{Settings, known_job_keys},
    domain::{
        decision::HoldReason,
        event::Event,
        job::{FAILING_AFTER, FAILURES_IN_A_ROW_MAX},
        span::Span,
    },
    notify::NotifySettings,
    store::deliveries::GONE_AFTER,
    telemetry::METRICS,
};
use serde_json::Value;
use strum::VariantArray;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Name and text of each page for people.
fn pages() -> Vec<(String, String)> {
    let mut paths = vec![root().join("README.md")];
    let docs = fs::read_dir(root().join("docs")).expect("docs");
    paths.extend(docs.map(|entry| entry.expect("an entry").path()));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let name = |path: &Path| path.strip_prefix(root()).expect("inside").display().to_string();
    paths.iter().map(|path| (name(path), read(path))).collect()
}

/// The text between backquotes, outside of blocks of code; a span may go on in the next line.
fn spans(page: &str) -> Vec<String> {
    let mut prose = String::new();
    let mut in_block = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    let spans = prose.split('`').skip(1).step_by(2);
    spans
        .map(|span| {
            span.replace("\\|", "|")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

/// The lines of shell blocks, continued lines joined, comments cut.
fn shell_lines(page: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for block in page.split("```sh").skip(1) {
        let (_, block) = block.split_once('\n').expect("a line");
        let block = block.split("```").next().expect("a block").replace("\\\n", " ");
        lines.extend(block.lines().map(|line| line.trim().to_owned()));
    }
    lines
}

/// The arguments of a command line up to a comment, a pipe or a redirection; quotes are taken away.
fn arguments(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut single, mut double) = (false, false);
    for c in line.chars() {
        match c {
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            c if c.is_whitespace() && !single && !double => words.push(String::new()),
            c => words.last_mut().expect("a word").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    let stops = |word: &str| ["#", "|", ">", "2>&1", "&", "&&", ";", ">>"].contains(&word);
    words.into_iter().take_while(|word| !stops(word)).collect()
}

/// What stands for a value of the reader.
fn filled(word: &str) -> String {
    match word {
        "JOB" | "USD" | "N" => "1".to_owned(),
        "CHAIN" => "base".to_owned(),
        "WALLET" => "0xbbd9aDe16525acb4B336b6dAd3b9762901522B07".to_owned(),
        other => other.to_owned(),
    }
}

/// A command that is only named may lack its arguments.
fn parses(line: &str) -> Result<(), String> {
    let words: Vec<String> = arguments(line).iter().map(|word| filled(word)).collect();
    match Cli::try_parse_from(&words) {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Ok(()),
            _ => Err(error.to_string()),
        },
    }
}

#[test]
fn every_command_of_every_page_can_be_typed() {
    let mut tried = 0;
    for (name, page) in pages() {
        let mut lines = shell_lines(&page);
        lines.extend(spans(&page));
        for line in lines {
            let command = match line.split_once("--rm cli ") {
                Some((_, rest)) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => {
                    format!("lgi-mm {rest}")
                }
                _ => line.clone(),
            };
            // Values that the reader fills in are checked where they are explained.
            if !command.starts_with("lgi-mm ") || command.contains("..`") || command.contains('$') {
                continue;
            }
            tried += 1;
            if let Err(error) = parses(&command) {
                panic!("{name}: {command}\n{error}");
            }
        }
    }
    assert!(tried > 80, "only {tried} commands");
}

#[test]
fn the_table_of_commands_names_commands() {
    let readme = read(&root().join("README.md"));
    let (_, table) = readme
        .split_once("| command | what it does |\n|---|---|\n")
        .expect("the table");
    let mut tried = 0;
    for row in table.lines().take_while(|line| line.starts_with('|')) {
        let cell = row.replace("\\|", "/");
        let cell = cell.split('|').nth(1).expect("a cell").to_owned();
        for span in spans(&cell) {
            let (command, choices) = span.split_once(' ').unwrap_or((&span, ""));
            for choice in choices.split('/') {
                let line = format!("lgi-mm {command} {choice}");
                parses(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
                tried += 1;
            }
        }
    }
    assert!(tried > 30, "{tried} commands");
}

/// Dotted keys of the settings.
fn leaves(value: &Value, prefix: &str, found: &mut BTreeSet<String>) {
    if let Value::Object(map) = value {
        for (key, value) in map {
            let dotted = if prefix.is_empty() {
                key.clone()
            } else {
                format!("{prefix}.{key}")
            };
            found.insert(dotted.clone());
            leaves(value, &dotted, found);
        }
    }
}

#[test]
fn every_configuration_key_exists() {
    let mut known = BTreeSet::new();
    leaves(
        &serde_json::to_value(Settings::default()).expect("settings"),
        "",
        &mut known,
    );
    known.extend(known_job_keys().into_iter().map(str::to_owned));
    let sections: BTreeSet<String> = known
        .iter()
        .filter_map(|key| Some(key.split_once('.')?.0.to_owned()))
        .collect();
    let example = read(&root().join("lgi-mm.example.toml"));
    let mut found = Vec::new();
    files(&root().join("migrations"), &mut found);
    let migrations: String = found.iter().map(|path| read(path)).collect();
    let mut found = Vec::new();
    files(&root().join("src"), &mut found);
    files(&root().join("crates"), &mut found);
    found.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let contracts: String = found.iter().map(|path| read(path)).collect();
    let mut wrong = Vec::new();
    let events: BTreeSet<String> = Event::VARIANTS.iter().map(ToString::to_string).collect();
    let mut tried = 0;
    for (name, page) in pages() {
        for span in spans(&page) {
            let key = span.split([' ', '=']).next().expect("a word");
            let dotted = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            // A variable is a key in capitals.
            let variable = key
                .strip_prefix("LGI_MM__")
                .map(|key| key.to_lowercase().replace("__", "."));
            let key = variable.as_deref().unwrap_or(key);
            let Some((section, rest)) = key.split_once('.') else {
                continue;
            };
            let file = [
                "rs", "toml", "md", "yaml", "csv", "yml", "html", "log", "dump", "example",
            ];
            if !key.chars().all(dotted)
                || events.contains(key)
                || file
                    .iter()
                    .any(|end| rest == *end || rest.ends_with(&format!(".{end}")))
            {
                continue;
            }
            let open = ["chains", "notify"].contains(&section) && rest.contains('.');
            // A table of the paper venue.
            let table = migrations.contains(&format!("CREATE TABLE {key} ("));
            if (!sections.contains(section) && !open) || table {
                continue;
            }
            tried += 1;
            let last = rest.rsplit('.').next().expect("a key");
            let in_example = open
                && (example.contains(&format!("{last} = "))
                    || example.contains(&format!("[{section}.")) && last == "..");
            let whole = rest.is_empty() || rest.starts_with('.');
            // Addresses on a chain: keys that no example sets.
            let contract = key.starts_with("chains.") && rest.split('.').nth(1) == Some("contracts");
            let contract =
                contract && (last == "contracts" || contracts.contains(&format!("{last}: address!")));
            if !(known.contains(key) || in_example || whole || contract) {
                wrong.push(format!("{name}: {key}"));
            }
        }
    }
    assert!(wrong.is_empty(), "no such keys: {wrong:#?}");
    assert!(tried > 40, "only {tried} keys");
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// All that the program is made of, and what is shipped with it.
fn code() -> String {
    let mut found = vec![
        root().join("docker-compose.yml"),
        root().join("lgi-mm.example.toml"),
        root().join("Dockerfile"),
        root().join("Cargo.toml"),
        root().join("build.rs"),
    ];
    for dir in [
        "src",
        "crates",
        "migrations",
        "deploy",
        "scripts",
        "benches",
        "tests",
    ] {
        files(&root().join(dir), &mut found);
    }
    found.retain(|path| !path.starts_with(root().join("deploy/secrets")) && !path.ends_with("claims.rs"));
    found
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Settings and programs of others that pages name.
const OTHERS: [&str; 4] = [
    "autovacuum_naptime",
    "basic_auth_users",
    "pg_repack",
    "synchronous_standby_names",
];

#[test]
fn every_word_and_variable_of_the_program_is_one() {
    let code = code();
    let words: BTreeSet<&str> = code
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .collect();
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (name, page) in pages() {
        // Other programs and what they are called.
        if name == "docs/performance.md" {
            continue;
        }
        for span in spans(&page) {
            let is_word = span.contains('_')
                && span.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && span.starts_with(|c: char| c.is_ascii_alphabetic());
            if !is_word {
                continue;
            }
            tried += 1;
            let metric = METRICS.iter().any(|metric| metric.name == span);
            let hold = HoldReason::VARIANTS
                .iter()
                .any(|reason| reason.to_string() == span);
            let variable = span.starts_with("LGI_MM__") || words.contains(span.as_str());
            if !(metric || hold || variable || OTHERS.contains(&span.as_str())) {
                wrong.push(format!("{name}: {span}"));
            }
        }
    }
    assert!(wrong.is_empty(), "nowhere in the program: {wrong:#?}");
    assert!(tried > 150, "only {tried} words");
}

#[test]
fn every_metric_of_every_page_is_exported() {
    for (name, page) in pages() {
        let words = page.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for word in words.filter(|word| word.starts_with("lgi_mm_")) {
            let role = [
                "owner",
                "scheduler",
                "engine",
                "cli",
                "reader",
                "scaler",
                "runbook",
            ];
            let known = METRICS.iter().any(|metric| metric.name == word)
                || role.iter().any(|role| word == format!("lgi_mm_{role}"));
            assert!(known, "{name}: {word}");
        }
    }
}

/// The anchors of a page, as a renderer makes them from headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let text = line.trim_start_matches('#').trim().to_lowercase();
            let kept = text
                .chars()
                .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect()
}

#[test]
fn every_link_and_every_file_that_is_named_is_there() {
    let secrets = read(&root().join("scripts/secrets"));
    let mut tried = 0;
    for (name, page) in pages() {
        let here = root().join(&name);
        for link in page.split("](").skip(1) {
            let target = link.split(')').next().expect("a target");
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() {
                here.clone()
            } else {
                here.parent().expect("a directory").join(file)
            };
            assert!(path.exists(), "{name}: {target}");
            assert!(
                anchor.is_empty() || anchors(&read(&path)).contains(anchor),
                "{name}: {target}"
            );
            tried += 1;
        }
        for span in spans(&page) {
            let path = span.split(['#', ' ', ':']).next().expect("a path");
            let ours = [
                "deploy/",
                "docs/",
                "src/",
                "scripts/",
                "tests/",
                "grafana/",
                "crates/",
                "migrations/",
            ];
            if !ours.iter().any(|dir| path.starts_with(dir))
                || path.contains(['*', '<', '{'])
                || path.contains("NAME")
            {
                continue;
            }
            let made = path.strip_prefix("deploy/secrets").is_some_and(|file| {
                file.is_empty()
                    || file.ends_with("_password")
                    || secrets.contains(file.trim_start_matches('/'))
            });
            assert!(made || root().join(path).exists(), "{name}: {path}");
            tried += 1;
        }
    }
    assert!(tried > 60, "only {tried} links and files");
}

/// What the runbook quotes of logs and errors is what the program writes.
#[test]
fn the_runbook_quotes_what_the_program_writes() {
    let code = code();
    let page = read(&root().join("docs/runbook.md"));
    for span in spans(&page) {
        let begins = ["lgi-mm ", "docker ", "SELECT ", "UPDATE_DOCS", "--"];
        if span.contains(' ') && !begins.iter().any(|begin| span.starts_with(begin)) {
            assert!(code.contains(&span), "`{span}` is nowhere in the program");
        }
    }
}

fn words(span: Span) -> String {
    match span.std().as_secs() {
        86_400 => "a day".to_owned(),
        600 => "ten minutes".to_owned(),
        other => format!("{other} s"),
    }
}

fn number(count: u32) -> &'static str {
    ["zero", "one", "two", "three", "four", "five", "six"][count as usize]
}

/// Limits and defaults that pages quote, from the code that has them.
#[test]
fn limits_and_defaults_are_quoted_as_they_are() {
    let notify = NotifySettings::default();
    let settings = Settings::default();
    let capital = |text: &str| text[..1].to_uppercase() + &text[1..];
    let claims = [
        (
            "docs/notifications.md",
            format!("after `notify.give_up_after` ({})", words(notify.give_up_after)),
        ),
        (
            "docs/notifications.md",
            format!("in no process's settings for {} is removed", words(GONE_AFTER)),
        ),
        (
            "docs/runbook.md",
            format!("has had their receiver in its settings for {}", words(GONE_AFTER)),
        ),
        (
            "docs/metrics.md",
            format!("`metrics.max_jobs` ({} by default)", settings.metrics.max_jobs),
        ),
        (
            "docs/runbook.md",
            format!(
                "{} failures in a row are critical",
                capital(number(FAILING_AFTER))
            ),
        ),
        (
            "docs/runbook.md",
            format!(
                "A job failed {} times in a row and stopped",
                number(FAILURES_IN_A_ROW_MAX)
            ),
        ),
        (
            "README.md",
            format!("{} failures in a row stop a job", number(FAILURES_IN_A_ROW_MAX)),
        ),
        (
            "docs/runbook.md",
            format!(
                "after {} failures in a row it stops",
                number(FAILURES_IN_A_ROW_MAX)
            ),
        ),
    ];
    for (page, claim) in claims {
        let text = read(&root().join(page))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert!(text.contains(&claim), "{page} does not say: {claim}");
    }
}

/// The words of the runbook are those of the alerts' thresholds.
#[test]
fn thresholds_of_alerts_are_quoted_as_they_are() {
    let rules = read(&root().join("deploy/prometheus/rules/lgi-mm.yml"));
    let runbook = read(&root().join("docs/runbook.md"));
    for (expression, words) in [
        (
            "lgi_mm_signer_native_balance) < 0.002",
            "less than 0.002 native coins",
        ),
        (
            "max(lgi_mm_open_trade_age_seconds) > 600",
            "neither executed nor failed for ten minutes",
        ),
        (
            "lgi_mm_job_price_timestamp_seconds) < time() - 900",
            "no acceptable price for fifteen minutes",
        ),
        (
            "max by (queue) (lgi_mm_queue_oldest_age_seconds) > 30",
            "more than 30 seconds",
        ),
        (
            "max(lgi_mm_outbox_oldest_age_seconds) > 900",
            "for more than 15 minutes",
        ),
        ("le=\"2.5\"", "more than 2.5 s"),
    ] {
        assert!(rules.contains(expression), "{expression}");
        assert!(
            runbook.contains(words)
                || words.starts_with("more than 2.5") && runbook.contains("later than 2.5 s"),
            "{words}"
        );
    }
    let three = format!("failed at least {} times in a row", number(FAILING_AFTER));
    assert!(rules.contains(&three), "{three}");
}

/// A wallet or token that is copied from a page is accepted: its capitals are its checksum.
#[test]
fn every_address_has_its_checksum() {
    let mut tried = 0;
    for (name, page) in pages() {
        for word in page.split(|c: char| !c.is_ascii_alphanumeric()) {
            if word.len() == 42 && word.starts_with("0x") && word.contains(|c: char| c.is_ascii_uppercase()) {
                let parsed = alloy_primitives::Address::parse_checksummed(word, None);
                assert!(parsed.is_ok(), "{name}: {word}");
                tried += 1;
            }
        }
    }
    assert!(tried >= 5, "only {tried} addresses");
}

/// What the owner of a Compose stack may choose, and no more.
#[test]
fn every_variable_of_the_compose_file_is_explained() {
    let compose = read(&root().join("docker-compose.yml"));
    let page = read(&root().join("docs/scale-out.md"));
    let variables: BTreeSet<&str> = compose
        .split("${")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_uppercase() && c != '_').next())
        .filter(|name| name.starts_with("LGI_MM_"))
        .collect();
    assert!(variables.len() > 5, "{variables:?}");
    for variable in variables {
        assert!(page.contains(&format!("`{variable}`")), "{variable}");
    }
}
