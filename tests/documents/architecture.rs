//! The house: who may use whom, how large a file may be, and that every invariant names a test that exists.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The main package and the workspace's crates.
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

#[test]
fn the_core_touches_no_world() {
    for file in rust_files(&root().join("crates/domain/src")) {
        let text = fs::read_to_string(&file).expect("source");
        let words: BTreeSet<&str> = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        for name in ["sqlx", "tokio", "rand", "f32"] {
            assert!(!words.contains(name), "{} has {name}", file.display());
        }
        // Reading or refusing a float that a file holds is not computing with one.
        let reads_floats = file.ends_with("units/text.rs");
        assert!(
            reads_floats || !words.contains("f64"),
            "{} has f64",
            file.display()
        );
        for path in ["async ", "Utc::now", "std::fs", "std::env"] {
            assert!(!text.contains(path), "{} has {path}", file.display());
        }
    }
}

#[test]
fn no_source_file_has_more_than_400_lines_of_code() {
    let others = ["tests", "benches"].map(|dir| rust_files(&root().join(dir)));
    for file in sources().into_iter().chain(others.into_iter().flatten()) {
        let text = fs::read_to_string(&file).expect("source");
        let own = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code = own
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
            .count();
        assert!(code <= 400, "{} has {code} lines of code", file.display());
    }
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let tests: String = rust_files(&root().join("tests"))
        .iter()
        .chain(&sources())
        .map(|file| fs::read_to_string(file).expect("source"))
        .collect();
    let invariants: Vec<&str> = text.lines().filter(|line| line.starts_with("- **")).collect();
    assert!(invariants.len() >= 12, "only {} invariants", invariants.len());
    for invariant in invariants {
        let named: BTreeSet<&str> = invariant
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| name.contains('_'))
            .collect();
        let kept = named.iter().any(|name| tests.contains(&format!("fn {name}(")));
        assert!(kept, "no test of this exists: {invariant}");
    }
}

#[test]
fn every_test_that_the_security_page_names_exists() {
    let text = fs::read_to_string(root().join("docs/security.md")).expect("docs/security.md");
    let tests: String = rust_files(&root().join("tests"))
        .iter()
        .chain(&sources())
        .map(|file| fs::read_to_string(file).expect("source"))
        .collect();
    // Keys and labels have fewer words than the claims that tests are named by.
    let named: BTreeSet<&str> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.matches('_').count() >= 4 && !name.contains('.'))
        .collect();
    assert!(named.len() >= 29, "only {} tests are named", named.len());
    for name in named {
        assert!(tests.contains(&format!("fn {name}(")), "no test is called {name}");
    }
}

#[test]
fn the_queue_crate_uses_nothing_of_ours() {
    let manifest = fs::read_to_string(root().join("crates/queue/Cargo.toml")).expect("a manifest");
    assert!(
        !manifest.contains("path ="),
        "the queue is to be of use without the rest"
    );
    for file in rust_files(&root().join("crates/queue/src")) {
        let text = fs::read_to_string(&file).expect("source");
        assert!(!text.contains("lgi"), "{} names this program", file.display());
    }
}

/// What a face may name of this program, and why: everything else is asked of `app`.
const FACE_MAY_NAME: [(&str, &str); 12] = [
    ("api", "itself; a command serves it"),
    ("app", "requests and views"),
    ("chat", "itself; services run it"),
    ("cli", "itself"),
    (
        "commands",
        "what is done on the machine is a command in every face",
    ),
    ("config", "settings are read before anything is asked"),
    ("domain", "values of requests and views"),
    ("mcp", "itself; a command runs it"),
    ("telemetry", "logging begins before anything is asked"),
    ("backtest", "a report's rows are rendered where they are shown"),
    ("report", "an HTML report is a rendering"),
    ("version", "which build it is needs no request"),
];

/// Names of modules of this program that a file mentions: what follows `crate::`, alone or in braces.
fn modules_named(text: &str) -> BTreeSet<String> {
    text.split("crate::")
        .skip(1)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(group) => first_level(group),
            None => vec![leading_name(rest)],
        })
        .filter(|name| !name.is_empty())
        .collect()
}

fn leading_name(text: &str) -> String {
    text.trim_start()
        .chars()
        .take_while(|letter| letter.is_ascii_lowercase() || *letter == '_')
        .collect()
}

/// Names of a group of imports at its first level; `group` begins after its brace.
fn first_level(group: &str) -> Vec<String> {
    let (mut depth, mut items) = (0_usize, vec![String::new()]);
    for letter in group.chars() {
        match letter {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            _ => {}
        }
        if let Some(item) = items.last_mut()
            && (letter != ',' || depth > 0)
        {
            item.push(letter);
        }
    }
    items.iter().map(|item| leading_name(item)).collect()
}

#[test]
fn faces_only_parse_ask_the_application_and_render() {
    let faces = ["src/cli", "src/api", "src/chat", "src/mcp"].map(|face| rust_files(&root().join(face)));
    for file in faces.into_iter().flatten() {
        let text = fs::read_to_string(&file).expect("source");
        for named in modules_named(&text) {
            let another = named == "cli" && !file.starts_with(root().join("src/cli"));
            assert!(
                !another && FACE_MAY_NAME.iter().any(|(name, _)| *name == named),
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

/// Places whose texts only faces show. Not here: what outlives its process and is read without a face (the halts and
/// notes of `engine` and `store`, the messages of `notify`, the log of `monitor`), and what runs other programs
/// (`embedded`, `devnet`).
const FACELESS: [&str; 10] = [
    "crates/domain/src",
    "crates/queue/src",
    "src/app",
    "src/backtest",
    "src/chain",
    "src/config",
    "src/paper",
    "src/prices",
    "src/report",
    "src/runner",
];

/// Whether a text has a flag (`--quote`) or a command line (`lgi-mm start`). What is hashed is no text.
fn speaks_command_line(text: &str) -> bool {
    let flag = text.match_indices("--").any(|(at, _)| {
        let next = text[at + 2..].chars().next();
        next.is_some_and(|next| next.is_ascii_lowercase() || next == '{')
    });
    let command = text.contains("`lgi-mm ") || text.contains("\"lgi-mm ");
    flag || (command && !text.contains("keccak256"))
}

#[test]
fn what_faces_show_names_no_flag_and_no_command_line() {
    for yes in ["give --quote", "--{flag}: no", "`lgi-mm start`"] {
        assert!(speaks_command_line(yes), "{yes}");
    }
    assert!(!speaks_command_line("lgi-mm: a - b -- c"));
    for file in FACELESS.iter().flat_map(|place| rust_files(&root().join(place))) {
        let text = fs::read_to_string(&file).expect("source");
        for line in text
            .lines()
            .map(str::trim_start)
            // A comment, or a line of the policy file, which a person reads in an editor.
            .filter(|line| !line.starts_with("//") && !line.starts_with("# "))
        {
            assert!(
                !speaks_command_line(line),
                "{}: {line}: use message! with a Field or an Advice, so that each face writes it its own way",
                file.display()
            );
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

#[test]
fn comments_are_wrapped() {
    let mut wide = Vec::new();
    for file in sources() {
        let text = fs::read_to_string(&file).expect("source");
        for (index, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") && line.chars().count() > 120 {
                wide.push(format!("{}:{}", file.display(), index + 1));
            }
        }
    }
    assert_eq!(wide, Vec::<String>::new(), "comments of more than 120 columns");
}
