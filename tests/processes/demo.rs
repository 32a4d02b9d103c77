//! The demo as a person sees it: what its feed tells and what its last line says are the same.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::process::Command;

fn demo(arguments: &[&str]) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let ran = Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .arg("demo")
        .args(arguments)
        .env_remove("DATABASE_URL")
        .current_dir(dir.path())
        .output()
        .expect("our own program");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let remarks = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}{remarks}");
    said
}

/// Lines of the feed, without their time.
fn feed(said: &str) -> Vec<&str> {
    said.lines()
        .filter_map(|line| {
            let (time, text) = line.split_once(' ')?;
            (time.len() == 8 && time.matches(':').count() == 2).then_some(text)
        })
        .collect()
}

/// The line between the two rules at the end.
fn last(said: &str) -> &str {
    let mut lines = said.trim_end().lines().rev();
    let (below, line, above) = (lines.next(), lines.next(), lines.next());
    assert_eq!(below, above, "{said}");
    assert!(below.expect("a rule").chars().all(|char| char == '='), "{said}");
    line.expect("a line")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_tells_each_kill_and_fill_and_sums_them_up_in_its_last_line() {
    let said = demo(&["--crash", "--for", "14s"]);
    let feed = feed(&said);
    let count = |part: &dyn Fn(&str) -> bool| feed.iter().filter(|line| part(line)).count();
    let kills = count(&|line| line.starts_with("KILL -9 "));
    let fills = count(&|line| line.contains(" bought ") || line.contains(" sold "));
    assert!(kills > 0 && fills > 0, "{said}");
    let (kill, trade) = (
        if kills == 1 { "kill" } else { "kills" },
        if fills == 1 { "trade" } else { "trades" },
    );
    let expected =
        format!("{kills} {kill}. {fills} {trade}. 0 duplicates. Ledger = venue, to the last unit.");
    assert_eq!(last(&said), expected, "{said}");

    // A trade that a killed worker had in hand is reported to its end, and no trade is filled twice.
    assert!(!said.contains("TIMES"), "{said}");
    let mut left: Vec<String> = Vec::new();
    for line in &feed {
        if let Some((_, doing)) = line.split_once(" while ").filter(|_| line.starts_with("KILL")) {
            for hand in doing.split(" and ") {
                let symbol = hand.split(' ').next().expect("a ticker");
                let noun = if hand.contains(" was buying ") {
                    "buy"
                } else {
                    "sale"
                };
                left.push(format!("{symbol}'s {noun}"));
            }
        }
        if line.contains("took over") || line.contains("outlived") {
            left.retain(|open| !line.contains(open.as_str()));
        }
    }
    assert!(left.is_empty(), "{left:?}\n{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_without_crashes_says_nothing_of_kills() {
    let said = demo(&["--for", "6s"]);
    assert!(!said.to_lowercase().contains("kill"), "{said}");
    let fills = feed(&said)
        .iter()
        .filter(|line| line.contains(" bought ") || line.contains(" sold "))
        .count();
    let verb = if fills == 1 { "trade" } else { "trades" };
    let expected = format!("{fills} {verb}. 0 duplicates. Ledger = venue, to the last unit.");
    assert_eq!(last(&said), expected, "{said}");
}
