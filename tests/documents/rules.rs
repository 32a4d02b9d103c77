//! Where a rule or a mode must be named besides the code that the compiler leads to.

use std::fs;

use lgi_mm::domain::{decision::Reason, job::JobMode};
use strum::VariantArray;

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The words in quotes after `start`, up to the next semicolon or closing brace.
fn quoted_after<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no '{start}'"));
    let end = rest.find(|end| [')', '}'].contains(&end)).unwrap_or(rest.len());
    let words = rest[..end].split(|c: char| !c.is_ascii_uppercase() && c != '_');
    words.filter(|word| !word.is_empty()).collect()
}

/// A new reason: the check of the table of trades. Without it the first
/// trade of a new rule could not be stored.
#[test]
fn every_reason_of_a_trade_may_be_stored() {
    let ledger = read("migrations/0001_ledger.up.sql");
    let (_, trades) = ledger
        .split_once("CREATE TABLE trades")
        .expect("the table of trades");
    let stored = quoted_after(trades, "CHECK (reason IN");
    for reason in Reason::VARIANTS {
        let name: &str = reason.into();
        assert!(
            stored.contains(&name),
            "{name} is refused by the table of trades: {stored:?}"
        );
    }
    assert_eq!(stored.len(), Reason::VARIANTS.len(), "{stored:?}");
}

/// A new mode: its check in the table of jobs, and its table in the example settings.
#[test]
fn every_mode_may_be_stored_and_has_its_table_in_the_example() {
    let ledger = read("migrations/0001_ledger.up.sql");
    let stored = quoted_after(&ledger, "CHECK (mode IN (");
    let example = read("lgi-mm.example.toml");
    for mode in JobMode::VARIANTS {
        let name = mode.to_string();
        assert!(stored.contains(&name.as_str()), "{name}: {stored:?}");
        let table = format!("[defaults.{}]", mode.section());
        assert!(example.contains(&table), "{table} is not in the example");
    }
    assert_eq!(stored.len(), JobMode::VARIANTS.len(), "{stored:?}");
}
