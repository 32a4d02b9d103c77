//! The house: who may use whom, how large a file may be, and that every invariant names a test that exists.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// From the ground up: a module uses only modules above it in this list.
const STOREYS: [&str; 19] = [
    "ports",
    "service",
    "telemetry",
    "failpoint",
    "trust",
    "store",
    "embedded",
    "paper",
    "chain",
    "devnet",
    "prices",
    "engine",
    "backtest",
    "report",
    "runner",
    "notify",
    "retention",
    "monitor",
    "config",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The main package and the crates beside it.
fn sources() -> Vec<PathBuf> {
    let mut files = rust_files(&root().join("src"));
    files.extend(rust_files(&root().join("crates")));
    files
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn storey(path: &Path) -> Option<usize> {
    let inside = path.strip_prefix(root().join("src")).expect("a source file");
    let first = inside
        .components()
        .next()?
        .as_os_str()
        .to_str()?
        .trim_end_matches(".rs");
    STOREYS.iter().position(|name| *name == first)
}

/// Whether `use crate::{..}` names this module at its first level.
fn in_use_groups(text: &str, name: &str) -> bool {
    // A group on one line, or one name a line.
    let group = |rest: &str| -> Vec<String> {
        let names = rest.split(';').next().unwrap_or_default();
        match names.strip_prefix('\n') {
            Some(lines) => lines
                .lines()
                .filter_map(|line| line.strip_prefix("    "))
                .map(name)
                .collect(),
            None => names.split(", ").map(name).collect(),
        }
    };
    let grouped = text.split("use crate::{").skip(1).flat_map(group);
    direct.chain(grouped).filter(|name| !name.is_empty()).collect()
}

#[test]
fn faces_only_parse_ask_the_application_and_render() {
    for file in rust_files(&root().join("src/cli")) {
        let text = fs::read_to_string(&file).expect("source");
        for named in modules_named(&text) {
            assert!(
                FACE_MAY_NAME.iter().any(|(name, _)| *name == named),
                "{} names {named}: ask a function of app instead",
                file.display()
            );
        }
        for word in ["sqlx", "PgPool", "store::", "engine::", "chain::"] {
            assert!(!text.contains(word), "{} has {word}", file.display());
        }
    }
}

#[test]
fn the_application_neither_prints_nor_prompts() {
    for file in rust_files(&root().join("src/app")) {
        let text = fs::read_to_string(&file).expect("source");
        for word in [
            "println!",
            "print!",
            "stdin",
            "stdout",
            "stderr",
            "env::var",
            "IsTerminal",
            "rpassword",
            "clap",
            "comfy_table",
            "crate::cli",
        ] {
            assert!(!text.contains(word), "{} has {word}", file.display());
        }
    }
}

#[test]
fn what_an_app_holds_is_private_to_the_application() {
    let text = fs::read_to_string(root().join("src/app/context.rs")).expect("source");
    let fields = text.split("pub struct App {").nth(1).expect("the struct");
    let fields = fields.split("\n}").next().expect("its end");
    for field in fields.lines().filter(|line| line.contains(": ")) {
        let private = field.starts_with("    pub(super) ") || !field.contains("pub");
        assert!(private, "{field}");
    }
}
