//! docs/liquidity.md: the figures of the page are those of its backtests.

use super::backtest::{blocks, readable, run};

const PAGE: &str = include_str!("../../../docs/liquidity.md");

#[tokio::test(flavor = "multi_thread")]
async fn the_page_liquidity_shows_what_the_backtests_give() {
    let dir = tempfile::tempdir().expect("a directory");
    let db = testkit::db().await;
    let (commands, shown) = (blocks(PAGE, "sh liquidity"), blocks(PAGE, "text "));
    assert_eq!(
        (commands.len(), shown.len()),
        (4, 3),
        "the page's commands and figures"
    );
    for (name, script) in commands {
        let ran = run(script, dir.path(), &db.url);
        let said = String::from_utf8_lossy(&ran.stdout);
        let remarks = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{script}\n{said}\n{remarks}");
        for (_, expected) in shown.iter().filter(|(of, _)| *of == name) {
            assert_eq!(
                readable(expected),
                readable(&said),
                "docs/liquidity.md shows something else"
            );
        }
    }
}
