//! docs/extending.md: the files and the tests that it names exist.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn named() -> Vec<String> {
    let page = fs::read_to_string(root().join("docs/extending.md")).expect("the page");
    page.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_file_that_the_extending_page_names_exists() {
    let files: Vec<String> = named()
        .into_iter()
        .filter(|name| {
            !name.contains(' ')
                && [".rs", ".md", ".sql", ".toml", ".js"]
                    .iter()
                    .any(|end| name.ends_with(end))
        })
        .collect();
    assert!(files.len() > 20, "only {} files are named", files.len());
    for file in files {
        assert!(
            root().join(&file).is_file(),
            "docs/extending.md names {file}, which does not exist"
        );
    }
}

#[test]
fn every_test_that_the_extending_page_names_exists() {
    let mut files = Vec::new();
    for dir in ["src", "tests", "crates"] {
        rust_files(&root().join(dir), &mut files);
    }
    let sources: String = files
        .iter()
        .map(|file| fs::read_to_string(file).expect("source"))
        .collect();
    // A name of four words or more is a test's claim.
    let tests: Vec<String> = named()
        .into_iter()
        .filter(|name| name.matches('_').count() > 2 && !name.contains(['.', ' ', '/', '(']))
        .collect();
    assert!(tests.len() > 8, "only {} tests are named", tests.len());
    for test in tests {
        assert!(
            sources.contains(&format!("fn {test}(")),
            "no test is called {test}"
        );
    }
}

/// A new DEX is a file and a line only if no other file of the venue asks of which kind a pool is.
#[test]
fn a_kind_of_pool_is_named_by_its_own_dex_alone() {
    let mut files = Vec::new();
    for dir in ["src/chain/dex", "src/chain/prices", "src/engine", "src/app"] {
        rust_files(&root().join(dir), &mut files);
    }
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("source");
        for (before, after) in text
            .match_indices("Pool::")
            .map(|(at, word)| (&text[..at], &text[at + word.len()..]))
        {
            let kind: String = after.chars().take_while(|c| c.is_alphanumeric()).collect();
            let whole = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
            if whole && kind.starts_with(|c: char| c.is_uppercase()) {
                let name = file.strip_prefix(root()).expect("a file of this crate");
                named.entry(kind).or_default().insert(name.display().to_string());
            }
        }
    }
    let kinds: Vec<&str> = named.keys().map(String::as_str).collect();
    assert_eq!(
        kinds,
        [
            "Aerodrome",
            "AerodromeHops",
            "Mixed",
            "Pancake",
            "PancakeHops",
            "Slipstream",
            "SlipstreamHops",
            "V2",
            "V2Fork",
            "V3",
            "V3Hops",
            "V3Path",
            "V4"
        ]
    );
    for (kind, files) in named {
        assert_eq!(files.len(), 1, "Pool::{kind}: {files:?}");
    }
}
