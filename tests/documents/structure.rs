//! The house as the compiler sees it: which file uses which, without circles, and no import from below to above.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use super::house::{House, Module};

/// The rooms of the main crate from the ground up. A room uses rooms above it in this list only.
const FLOORS: [&[&str]; 10] = [
    &["ports", "failpoint", "trust", "telemetry", "version", "systemd"],
    &["service"],
    &["store"],
    &[
        "embedded",
        "dump",
        "paper",
        "chain",
        "devnet",
        "prices",
        "backtest",
        "report",
        "notify",
        "retention",
        "monitor",
    ],
    &["engine"],
    &["runner"],
    &["config"],
    &["app"],
    &["commands"],
    &["api", "chat", "mcp"],
];

/// Pairs that the floors allow, or that they would not show, and that must never be.
const NEVER: [(&str, &str); 10] = [
    ("api", "store"),
    ("backtest", "engine"),
    ("cli", "store"),
    ("engine", "chain"),
    ("engine", "paper"),
    ("engine", "prices"),
    ("paper", "chain"),
    ("report", "store"),
    ("store", "ports"),
    ("store", "paper"),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Sets of places that use each other in a circle, each with more than one member.
fn circles<T: Ord + Clone>(arrows: &BTreeMap<T, BTreeSet<T>>) -> Vec<BTreeSet<T>> {
    let reach = |from: &T| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from.clone()];
        while let Some(at) = open.pop() {
            for next in arrows.get(&at).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&T, BTreeSet<T>> = arrows.keys().map(|from| (from, reach(from))).collect();
    let mut found: BTreeSet<BTreeSet<T>> = BTreeSet::new();
    for (from, to) in &reached {
        let circle: BTreeSet<T> = to
            .iter()
            .filter(|there| reached.get(there).is_some_and(|back| back.contains(*from)))
            .cloned()
            .collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

fn crates() -> Vec<PathBuf> {
    let mut found = vec![root().join("src")];
    for entry in fs::read_dir(root().join("crates")).expect("crates") {
        found.push(entry.expect("an entry").path().join("src"));
    }
    found
}

/// A folder's view: each file or folder directly in it is one place; the folder's own file is `mod`.
fn seen_from(
    folder: &[String],
    arrows: &BTreeMap<Module, BTreeSet<Module>>,
) -> BTreeMap<String, BTreeSet<String>> {
    let place = |module: &Module| {
        module
            .strip_prefix(folder)
            .map(|rest| rest.first().cloned().unwrap_or_else(|| "mod".to_owned()))
    };
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, targets) in arrows {
        let Some(here) = place(from) else { continue };
        let there = targets.iter().filter_map(place).filter(|there| *there != here);
        seen.entry(here.clone()).or_default().extend(there);
    }
    seen
}

#[test]
fn no_file_and_no_folder_uses_another_in_a_circle() {
    let mut wrong = Vec::new();
    for src in crates() {
        let arrows = House::read(&src).arrows();
        for circle in circles(&arrows) {
            let mut lines = Vec::new();
            for from in &circle {
                for to in arrows[from].intersection(&circle) {
                    lines.push(format!("    {} -> {}", from.join("/"), to.join("/")));
                }
            }
            wrong.push(format!("{}: files\n{}", src.display(), lines.join("\n")));
        }
        let folders: BTreeSet<&[String]> = arrows
            .keys()
            .flat_map(|module| (0..module.len()).map(|length| &module[..length]))
            .collect();
        for folder in folders {
            for circle in circles(&seen_from(folder, &arrows)) {
                wrong.push(format!(
                    "{}/{}: folders {circle:?}",
                    src.display(),
                    folder.join("/")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} circles:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_circle_is_seen() {
    let arrows = BTreeMap::from([
        ("a", BTreeSet::from(["b"])),
        ("b", BTreeSet::from(["c"])),
        ("c", BTreeSet::from(["b"])),
    ]);
    assert_eq!(circles(&arrows), [BTreeSet::from(["b", "c"])]);
}

#[test]
fn no_room_uses_one_that_stands_above_it() {
    let arrows = House::read(&root().join("src")).arrows();
    let floor = |room: &str| FLOORS.iter().position(|floor| floor.contains(&room));
    let mut wrong = BTreeSet::new();
    for (from, targets) in &arrows {
        let Some(here) = from.first() else { continue };
        assert!(
            here == "cli" || floor(here).is_some(),
            "{here} stands on no floor"
        );
        for to in targets {
            let there = to.first().expect("a room");
            let climbs = match (floor(here), floor(there)) {
                (Some(here), Some(there)) => there > here,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if climbs || NEVER.contains(&(here.as_str(), there.as_str())) {
                wrong.insert(format!("{} uses {}", from.join("/"), to.join("/")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
