//! Texts use the field's words: this test refuses the phrases of an older style and names a better one.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Files and folders that are checked, with the endings of the files that count; no endings: every text file.
const ROOTS: &[(&str, &[&str])] = &[
    ("README.md", &[]),
    ("CHANGELOG.md", &[]),
    ("docs", &["md"]),
    ("lgi-mm.example.toml", &[]),
    ("deploy", &["yml", "yaml", "sh"]),
    ("grafana", &["json", "yml"]),
    ("docker-compose.yml", &[]),
    ("Dockerfile", &[]),
    ("justfile", &[]),
    ("scripts", &["", "sh", "mjs", "py", "json"]),
    (".ci/run", &[]),
    ("benches", &["rs", "py"]),
    ("build.rs", &[]),
    ("src", &["rs", "sql", "js", "css"]),
    ("crates", &["rs", "sql", "md", "toml"]),
    ("tests", &["snap"]),
    ("ARCHITECTURE.md", &[]),
    ("migrations", &["sql"]),
    ("Cargo.toml", &[]),
    ("clippy.toml", &[]),
    ("deny.toml", &[]),
];

/// Written by other tools.
const SKIPPED: [&str; 1] = ["package-lock.json"];

/// Refused word or phrase, in small letters, and what to write instead.
const REFUSED: &[(&str, &str)] = &[
    ("mend", "fix"),
    ("mends", "fixes"),
    ("mended", "fixed"),
    ("mending", "fixing"),
    ("anew", "again, from scratch"),
    ("so many", "a number: at most N, N times, the number of"),
    ("so often", "an interval, a number of times"),
    ("is told", "is notified, is passed, is logged"),
    ("are told", "are notified, are passed, are logged"),
    ("was told", "was notified, was given"),
    ("were told", "were notified, were given"),
    ("be told", "be notified, be given, be logged"),
    ("told of", "notified of"),
    ("is said", "is logged, is reported"),
    ("are said", "are logged, are reported"),
    ("dear", "expensive"),
    ("dearer", "more expensive"),
    ("dearest", "most expensive"),
    ("nought", "zero"),
    ("noughts", "zeros"),
    ("for ever", "permanently, indefinitely"),
    ("taken back", "reorged out, reverted, reset"),
    ("took back", "reorged out, reverted, reset"),
    ("take back", "reorg out, revert, reset"),
    ("takes back", "reorgs out, reverts, resets"),
    ("taking back", "reorging out, reverting, resetting"),
    ("whoever", "name the actor: the caller, the process that"),
    (
        "somebody",
        "name the actor: another worker, another program, the owner",
    ),
    ("became of", "result, outcome, status"),
    ("go on", "continue, resume"),
    ("goes on", "continues, resumes"),
    ("going on", "continuing, happening"),
    ("went on", "continued, resumed"),
    ("beside", "next to, besides, in addition to, compared with"),
    ("of late", "recently"),
    ("lately", "recently"),
    ("sign of life", "heartbeat"),
    ("signs of life", "heartbeats"),
    ("what is old", "expired rows"),
    ("trying on", "retrying"),
    ("tries on", "retries"),
];

/// First words of a doc comment that only asks back: `Which.`, `What.`, `Whose key.`
const RIDDLES: [&str; 8] = ["which", "what", "why", "who", "whose", "when", "where", "how"];
/// Docs that say nothing.
const EMPTY: [&str; 5] = [
    "its number.",
    "since when.",
    "each.",
    "these.",
    "nothing, because.",
];

struct Word<'a> {
    text: String,
    /// Starts at 1.
    line: usize,
    /// What stands between the word before and this one.
    gap: &'a str,
}

/// Words are letters, digits, `_` and `'`: a name such as `is_told` is one word.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    let (mut line, mut end) = (1, 0);
    let inside = |c: char| c.is_alphanumeric() || c == '_' || c == '\'';
    let mut rest = text;
    while let Some(start) = rest.find(inside) {
        let offset = text.len() - rest.len() + start;
        let length = rest[start..].find(|c| !inside(c)).unwrap_or(rest.len() - start);
        let gap = &text[end..offset];
        line += gap.matches('\n').count();
        end = offset + length;
        found.push(Word {
            text: text[offset..end].to_lowercase(),
            line,
            gap,
        });
        rest = &text[end..];
    }
    found
}

/// Whether a phrase may run over this gap: blanks, a new line and the marks of comments, quotes and continued strings.
fn joins(gap: &str) -> bool {
    gap.chars().all(|c| c.is_whitespace() || "/!-#*\\\"".contains(c))
}

fn phrases(text: &str) -> Vec<(usize, &'static str, &'static str)> {
    let words = words(text);
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        for (phrase, better) in REFUSED {
            let mut wanted = phrase.split(' ');
            if wanted.next() != Some(word.text.as_str()) {
                continue;
            }
            let mut after = words.iter().skip(at + 1);
            if wanted.all(|next| {
                after
                    .next()
                    .is_some_and(|word| word.text == next && joins(word.gap))
            }) {
                found.push((word.line, *phrase, *better));
            }
        }
    }
    found
}

/// Lines of Rust whose doc comment is a single question or says nothing.
fn riddles(text: &str) -> Vec<(usize, &str)> {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let doc = |at: usize| lines.get(at).and_then(|line| line.strip_prefix("///"));
    let alone = |at: &usize| at.checked_sub(1).and_then(doc).is_none() && doc(at + 1).is_none();
    (0..lines.len())
        .filter(alone)
        .filter_map(|at| Some((at + 1, doc(at)?.trim())))
        .filter(|(_, doc)| {
            let small = doc.to_lowercase();
            let mut said = small.trim_end_matches('.').split(' ');
            let asks = said.next().is_some_and(|first| RIDDLES.contains(&first)) && said.count() <= 1;
            asks || EMPTY.contains(&small.as_str())
        })
        .collect()
}

fn files(path: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder") {
            files(&entry.expect("an entry").path(), endings, found);
        }
        return;
    }
    let part = |name: Option<&std::ffi::OsStr>| name.unwrap_or_default().to_string_lossy().into_owned();
    let (name, ending) = (part(path.file_name()), part(path.extension()));
    let counts = endings.is_empty() || endings.contains(&ending.as_str());
    if counts && !name.starts_with(".npmrc") && !SKIPPED.contains(&name.as_str()) {
        found.push(path.to_owned());
    }
}

#[test]
fn texts_use_the_words_of_the_field() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for (place, endings) in ROOTS {
        let mut found = Vec::new();
        files(&root.join(place), endings, &mut found);
        assert!(!found.is_empty(), "{place} has no file to check");
        found.sort();
        for file in found {
            let text =
                fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let shown = file.strip_prefix(root).expect("a file of the project").display();
            for (line, phrase, better) in phrases(&text) {
                wrong.push(format!("{shown}:{line}: \"{phrase}\": write {better}"));
            }
            if file.extension().is_some_and(|ending| ending == "rs") {
                for (line, doc) in riddles(&text) {
                    wrong.push(format!(
                        "{shown}:{line}: \"{doc}\": say what it is, or write nothing"
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} phrases to replace:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_phrase_is_found_over_lines_of_a_comment_and_not_in_names() {
    let lines = |text: &str| -> Vec<_> { phrases(text).iter().map(|(line, ..)| *line).collect() };
    assert_eq!(lines("/// Kept for\n/// ever."), [1]);
    assert_eq!(lines("a\n-- It Goes\n-- on, for ever"), [2, 3]);
    assert_eq!(lines("\"was told \\\n   of it\""), [1, 1]);
    assert_eq!(lines("Mend it; amend, recommend, commendable"), [1]);
    for fine in [
        "fn what_is_told_goes_on()",
        "let so = many(beside_it)",
        "He was. Told him",
        "besides, dearly, forever",
    ] {
        assert_eq!(lines(fine), [0; 0], "{fine}");
    }
}

#[test]
fn a_doc_that_only_asks_back_is_found() {
    let lines = |text: &str| -> Vec<_> { riddles(text).iter().map(|(line, _)| *line).collect() };
    assert_eq!(
        lines("/// Which.\na: u8,\n/// Whose key.\nb: u8,\n/// Its number.\nc: u8,"),
        [1, 3, 5]
    );
    for fine in [
        "/// What the key signed, base units.\n",
        "/// What it costs, and\n/// why.\n",
        "// Why.\n",
        "/// Price, USD.\n",
    ] {
        assert_eq!(lines(fine), [0; 0], "{fine}");
    }
}
