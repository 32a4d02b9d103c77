//! What README and docs name exists: configuration keys, metrics, files, links, variables and words of the program.

use std::collections::BTreeSet;

use lgi_mm::{
    config::{Settings, known_job_keys},
    domain::{decision::HoldReason, event::Event},
    telemetry::METRICS,
};
use serde_json::Value;
use strum::VariantArray;

use crate::pages::{code, files, pages, read, root, spans};

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

/// Settings and programs of others that pages name.
const OTHERS: [&str; 4] = [
    "autovacuum_naptime",
    "basic_auth_users",
    "pg_repack",
    "synchronous_standby_names",
];

#[test]
fn every_word_and_variable_of_the_program_is_one() {
    let code = code(true);
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
                "backup",
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
            // Directories that scripts/secrets makes.
            let made = made || ["deploy/state", "deploy/backups"].contains(&path);
            assert!(made || root().join(path).exists(), "{name}: {path}");
            tried += 1;
        }
    }
    assert!(tried > 60, "only {tried} links and files");
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
