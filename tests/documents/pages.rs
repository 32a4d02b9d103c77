//! The pages for people: README and docs, and what their text is made of.

use std::{
    fs,
    path::{Path, PathBuf},
};

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Name and text of each page for people.
pub fn pages() -> Vec<(String, String)> {
    let mut paths = vec![root().join("README.md")];
    let docs = fs::read_dir(root().join("docs")).expect("docs");
    paths.extend(docs.map(|entry| entry.expect("an entry").path()));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let name = |path: &Path| path.strip_prefix(root()).expect("inside").display().to_string();
    paths.iter().map(|path| (name(path), read(path))).collect()
}

/// The text between backquotes, outside of blocks of code; a span may continue on the next line.
pub fn spans(page: &str) -> Vec<String> {
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

pub fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The program, what is shipped with it and, `with_tests`, its tests, but for the one that asks.
pub fn code(with_tests: bool) -> String {
    let mut found = vec![
        root().join("docker-compose.yml"),
        root().join("lgi-mm.example.toml"),
        root().join("Dockerfile"),
        root().join("Cargo.toml"),
        root().join("build.rs"),
    ];
    for dir in ["src", "crates", "migrations", "deploy", "scripts", "benches"] {
        files(&root().join(dir), &mut found);
    }
    if with_tests {
        files(&root().join("tests"), &mut found);
    }
    found.retain(|path| !path.starts_with(root().join("deploy/secrets")) && !path.ends_with("claims.rs"));
    found
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect::<Vec<_>>()
        .join("\n")
}
