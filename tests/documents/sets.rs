//! Every `--set key=value` that a page, an error or a command's own words advise can be typed as it stands.

use std::path::{Path, PathBuf};

use lgi_mm::{
    config::{JobLayers, SettingsError, build_job_config, known_job_keys},
    domain::{config::JobConfig, job::JobMode},
};

fn files(dir: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
}

/// Each pair behind a `--set`, without quotes; a Rust string that continues on its next line is one.
fn advised(text: &str) -> Vec<String> {
    let mut joined = String::new();
    for line in text.lines() {
        let line = if joined.is_empty() {
            line
        } else {
            line.trim_start()
        };
        match line.strip_suffix('\\') {
            Some(more) => joined.push_str(more),
            None => {
                joined.push_str(line);
                joined.push('\n');
            }
        }
    }
    let mut pairs = Vec::new();
    for after in joined.replace("Set(\"", "--set ").split("--set ").skip(1) {
        let (mut pair, mut quoted) = (String::new(), false);
        let mut characters = after.chars();
        while let Some(c) = characters.next() {
            match c {
                // A quote inside a text of the source.
                '\\' => pair.extend(characters.next()),
                '\'' => quoted = !quoted,
                ')' | '`' | '"' | ';' if !quoted => break,
                blank if blank.is_whitespace() && !quoted => break,
                other => pair.push(other),
            }
        }
        pairs.push(pair.trim_end_matches([',', ':']).to_owned());
    }
    pairs.retain(|pair| pair.contains('=') && pair.contains('.') && !pair.starts_with("key="));
    pairs
}

#[test]
fn every_set_that_is_advised_can_be_typed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("README.md"), root.join("ARCHITECTURE.md")];
    files(&root.join("docs"), "md", &mut found);
    files(&root.join("src"), "rs", &mut found);
    let mut tried = 0;
    for file in found {
        let text = std::fs::read_to_string(&file).expect("a text");
        for pair in advised(&text) {
            let (key, value) = pair.split_once('=').expect("a pair");
            let (key, value) = (
                key.trim(),
                value.split_once('=').map_or(value, |(value, _)| value),
            );
            if key.starts_with(|c: char| !c.is_ascii_lowercase()) {
                continue;
            }
            let shown = format!("{}: --set {pair}", file.display());
            assert!(known_job_keys().contains(&key), "{shown}");
            // What is to be filled in.
            if value.contains("..") || value.contains('{') || value.contains("FILE") {
                continue;
            }
            let mode = match key.split_once('.') {
                Some(("liquidity", _)) => JobMode::Liquidity,
                Some(("basket", _)) => JobMode::Basket,
                Some(("order", _)) => JobMode::Order,
                _ => JobMode::Accumulate,
            };
            let typed = JobLayers::of_job().assignments(std::slice::from_ref(&pair), "--set");
            let built = build_job_config(&JobConfig::for_mode(mode), mode, &typed.expect("key=value"));
            match built {
                Ok(_) => {}
                // Together with the key that it belongs to.
                Err(SettingsError::Invalid(wrong)) if value.contains("recorded") && wrong.len() == 1 => {}
                Err(error) => panic!("{shown}: {error}"),
            }
            tried += 1;
        }
    }
    assert!(tried > 15, "only {tried} were found");
}
