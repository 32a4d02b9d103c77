//! docs/backtest.md: from a token to a configuration, its reports, and a job on paper. What the page shows of a
//! command's output is what the command says.

use std::{
    path::Path,
    process::{Command, Output},
};

const PAGE: &str = include_str!("../../../docs/backtest.md");

/// The blocks of the page whose first line has this beginning, with the rest of that line.
pub(super) fn blocks<'a>(page: &'a str, fence: &str) -> Vec<(&'a str, &'a str)> {
    page.split(&format!("```{fence}"))
        .skip(1)
        .filter_map(|rest| {
            rest.split_once("\n```")?
                .0
                .split_once('\n')
                .or(Some((rest.lines().next()?, "")))
        })
        .map(|(name, text)| (name.trim(), text))
        .collect()
}

pub(super) fn run(script: &str, dir: &Path, database: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .parent()
        .expect("a directory");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").expect("PATH"));
    Command::new("timeout")
        .args(["120", "bash", "-euc", script])
        .current_dir(dir)
        .env_clear()
        .env("PATH", path)
        .env("HOME", dir)
        .env("USER", "tester")
        .env("DATABASE_URL", database)
        .output()
        .expect("bash")
}

/// The cells of each line: the page shows them aligned, as on a terminal, and a pipe gets tabs.
pub(super) fn readable(text: &str) -> Vec<Vec<String>> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let cells = if line.contains('\t') {
                line.split('\t').collect::<Vec<_>>()
            } else {
                line.split("  ").collect()
            };
            // For people there are commas between thousands.
            let cells = cells.into_iter().map(|cell| cell.trim().replace(',', ""));
            cells.filter(|cell| !cell.is_empty()).collect()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_backtest_works_word_for_word() {
    let dir = tempfile::tempdir().expect("a directory");
    let db = testkit::db().await;
    let shown = blocks(PAGE, "text ");
    let commands = blocks(PAGE, "sh backtest");
    assert_eq!(
        (commands.len(), shown.len()),
        (7, 2),
        "the page's commands and what it shows of them"
    );
    for (name, script) in commands {
        let ran = run(script, dir.path(), &db.url);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            ran.status.success(),
            "{script}\n{}\n{}",
            text(&ran.stdout),
            text(&ran.stderr)
        );
        for (_, expected) in shown.iter().filter(|(of, _)| *of == name) {
            assert_eq!(
                readable(expected),
                readable(&text(&ran.stdout)),
                "docs/backtest.md shows something else"
            );
        }
    }
    let page = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect(name);
    let (first, slower, best) = (page("first.html"), page("slower.html"), page("best.html"));
    assert!(first != slower && first != best);
    // What the page says of the first report.
    assert!(first.contains("<code>max_accumulation</code>") && first.contains("<td>Take profit</td>"));
}
