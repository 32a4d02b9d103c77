//! The page of what PostgreSQL and poolers say is the table that the program uses.

use std::fmt::Write as _;

use lgi_mm::store::refusal::{BY_PROBE, Refusal, TABLE};

const HEAD: &str = "# What PostgreSQL and poolers say

This page is generated from the table in `src/store/refusal.rs`, and a test compares them. To regenerate it, run
`UPDATE_DOCS=1 cargo test --features failpoints --test documents database`.

Every command, `lgi-mm doctor`, `/readyz` and the log use this table: they print what the server said with its SQLSTATE, what
it means, and what to do. A command that cannot use the database exits with code 5. Commands that only read (`list`, `status`,
`trades`, `export`, `doctor`) work on a read-only database and warn.

## Found when lgi-mm connects

Each command asks the server for its version and encoding, and opens a second session: if both are served by the same server
process, a pooler shares sessions, and the command ends before it trades or writes.

";

fn rows(table: &[Refusal], with_code: bool) -> String {
    let mut text = String::new();
    let code = if with_code { "SQLSTATE | says | " } else { "" };
    writeln!(text, "| {code}means | do |").expect("text");
    writeln!(text, "|{}", "---|".repeat(if with_code { 4 } else { 2 })).expect("text");
    for row in table {
        if with_code {
            let said = |part: &str| {
                if part.is_empty() {
                    String::new()
                } else {
                    format!("`{part}`")
                }
            };
            write!(text, "| {} | {} ", said(row.code), said(row.words)).expect("text");
        }
        writeln!(text, "| {} | {} |", row.means, row.remedy).expect("text");
    }
    text
}

#[test]
fn the_page_of_the_database_is_the_table_of_the_program() {
    let page = format!(
        "{HEAD}{}\n## Said by the server or the pooler\n\nThe first row that fits counts: its SQLSTATE, if it has one, and \
         the words in the message.\n\n{}",
        rows(BY_PROBE, false),
        rows(TABLE, true)
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/database.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).expect("written");
    }
    let written = std::fs::read_to_string(path).expect("a page");
    assert!(
        written == page,
        "regenerate it: UPDATE_DOCS=1 cargo test --features failpoints --test documents database"
    );
}
