//! Orders to several jobs, and the questions that a terminal is asked first.

use alloy_primitives::Address;
use lgi_mm::{
    domain::{
        config::JobConfig,
        job::{JobMode, Realm},
        units::Amount,
    },
    store::{
        jobs,
        orders::{self, Order},
    },
};
use serde_json::Value;

use crate::terminal::{QUIET, Ran, TOKEN, Terminal, settled};

/// A job of another token, quiet as [`Terminal::start`] makes them.
fn other(terminal: &Terminal, number: u8, symbol: &str, mode: &str) {
    let token = format!("0x{}", format!("{number:02x}").repeat(20));
    let args = ["start", &token, "--mode", mode, "--symbol", symbol];
    terminal.ok(&[&args, &QUIET[..4]].concat());
}

/// CLAWD runs, TWO is paused, THREE sells, FOUR is idle, FIVE was removed.
async fn five() -> Terminal {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    for (number, symbol) in [(2, "TWO"), (3, "THREE"), (4, "FOUR"), (5, "FIVE")] {
        other(&terminal, number, symbol, "accumulate");
    }
    terminal.ok(&["pause", "TWO"]);
    terminal.ok(&["liquidate", "THREE", "FOUR", "FIVE", "--over", "1h"]);
    let sql = "UPDATE jobs SET status = 'IDLE', liquidation = NULL WHERE id IN (4, 5)";
    sqlx::query(sql).execute(&terminal.pool).await.expect("sold");
    terminal.ok(&["remove", "FIVE"]);
    terminal
}

/// A running job number 6 with real money.
async fn live(terminal: &Terminal) {
    let config = JobConfig::for_mode(JobMode::Accumulate);
    let mut new = testkit::paper_job(Address::repeat_byte(6), "SIX", JobMode::Accumulate, config);
    new.account.realm = Realm::Live;
    let job = jobs::create(&terminal.pool, &new, "test").await.expect("a job");
    let deposit = Amount::ZERO;
    let started = orders::order(&terminal.pool, job, Order::Start { deposit }, "test").await;
    started.expect("started");
}

fn status(terminal: &Terminal, job: &str) -> String {
    let shown: Value = serde_json::from_str(&terminal.ok(&["status", job, "--json"])).expect("JSON");
    shown["status"].as_str().expect("a status").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_job_gets_a_line_and_a_pause_its_undo() {
    let terminal = five().await;
    let _settled = settled();
    insta::assert_snapshot!("several_pause_all", terminal.run(&["pause", "--all"]).story());
    insta::assert_snapshot!("several_pause_again", terminal.run(&["pause", "--all"]).story());
    let undone = terminal.run(&["resume", "--paused-by", "2"]);
    insta::assert_snapshot!("several_undo", undone.story());
    let named = ["pause", "CLAWD", "FOUR", "FIVE", "99", TOKEN];
    insta::assert_snapshot!("several_pause_named", terminal.run(&named).story());
    assert_eq!(terminal.run(&["resume", "--paused-by", "77"]).code, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_jobs_as_json() {
    let terminal = five().await;
    let ran = terminal.run(&["pause", "CLAWD", "FOUR", "--json"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    let shown: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let expected = serde_json::json!({
        "jobs": [{
            "job": 1, "symbol": "CLAWD", "realm": "paper", "chain": "base", "before": "RUNNING", "after": "PAUSED",
            "changed": true, "note": "no new trades from now on; a trade that was sent is still settled",
        }],
        "refused": [{
            "job": "job 4 (FOUR, paper on base)", "code": 4,
            "message": "job 4 (FOUR, paper on base): a job that is IDLE cannot be paused; allowed now: start, remove",
        }],
        "matched": 2, "pause": 2, "undo": "lgi-mm resume --paused-by 2",
    });
    assert_eq!(shown, expected);
    let error: Value = serde_json::from_str(&ran.stderr).expect("JSON");
    assert_eq!(error["error"]["code"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_choose_jobs_and_one_named_job_is_refused_as_before() {
    let terminal = five().await;
    live(&terminal).await;
    assert_eq!(
        terminal.ok(&["pause", "--paper", "--status", "error"]),
        "nothing was changed: no job fits the request; `lgi-mm list` shows all jobs\n"
    );
    let paused = terminal.ok(&["pause", "--live"]);
    assert!(
        paused.starts_with("job 6 (SIX, LIVE on base): RUNNING -> PAUSED"),
        "{paused}"
    );
    assert_eq!(status(&terminal, "THREE"), "LIQUIDATING");
    let paused = terminal.ok(&["pause", "--token", "three"]);
    assert!(
        paused.starts_with("job 3 (THREE, paper on base): LIQUIDATING -> PAUSED"),
        "{paused}"
    );
    for (args, code, said) in [
        (
            &["pause", "FOUR"][..],
            4,
            "job 4 (FOUR, paper on base): a job that is IDLE cannot be paused",
        ),
        (
            &["liquidate", "FIVE"],
            4,
            "job 5 (FIVE, paper on base) was removed; its history stays",
        ),
        (&["pause", "99"], 3, "no job for 99"),
        (&["pause"], 2, "<--all|--live|--paper"),
        (&["pause", "--all", "CLAWD"], 2, "cannot be used with"),
        (&["pause", "--live", "--paper"], 2, "cannot be used with"),
        (
            &["pause", "--token", "0x4200000000000000000000000000000000000O06"],
            2,
            "not an address",
        ),
    ] {
        let ran = terminal.run(args);
        assert!(ran.code == code, "{args:?}: exit {}", ran.code);
        assert!(
            said.starts_with('<') || ran.stderr.contains(said),
            "{args:?}: {}",
            ran.stderr
        );
    }
    // What was removed is still there to be looked at.
    assert_eq!(status(&terminal, "FIVE"), "IDLE");
    assert!(terminal.ok(&["status", "FIVE"]).contains("IDLE, removed"));
    assert!(!terminal.ok(&["list"]).contains("FIVE"));
    let all = terminal.ok(&["list", "--all"]);
    let five = all.lines().find(|line| line.contains("FIVE")).expect("a line");
    assert!(five.contains("removed"), "{five}");
    let removed = terminal.ok(&["remove", "FOUR"]);
    assert!(removed.contains("IDLE -> removed"), "{removed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_left_without_buying_first() {
    let terminal = five().await;
    let sql =
        "UPDATE jobs SET status = 'ERROR', status_before_stop = 'RUNNING', paused_by = NULL WHERE id = 1";
    sqlx::query(sql).execute(&terminal.pool).await.expect("an error");
    let paused = terminal.ok(&["pause", "CLAWD"]);
    assert!(paused.contains("ERROR -> PAUSED"), "{paused}");
    sqlx::query(sql).execute(&terminal.pool).await.expect("an error");
    let sold = terminal.ok(&["liquidate", "--status", "error"]);
    assert!(
        sold.contains("job 1 (CLAWD, paper on base): ERROR -> LIQUIDATING"),
        "{sold}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_several_jobs_shows_the_difference_and_is_made_for_all_or_for_none() {
    let terminal = five().await;
    let _settled = settled();
    let edit = [
        "config",
        "edit",
        "CLAWD",
        "TWO",
        "--set",
        "accumulate.dca_amount_usd=25",
    ];
    insta::assert_snapshot!("several_edit", terminal.run(&edit).story());
    insta::assert_snapshot!("several_edit_again", terminal.run(&edit).story());
    other(&terminal, 6, "SIX", "liquidity");
    let ran = terminal.run(&["config", "edit", "--all", "--set", "accumulate.dca_amount_usd=50"]);
    insta::assert_snapshot!("several_edit_refused", ran.story());
    let shown = terminal.ok(&["config", "show", "CLAWD"]);
    assert!(shown.contains("dca_amount_usd = \"25\""), "{shown}");
    let edit = [
        "config",
        "edit",
        "CLAWD",
        "TWO",
        "--set",
        "accumulate.dca_amount_usd=30",
    ];
    let ran = terminal.on_a_terminal(&edit, "n\n");
    assert_eq!(ran.code, 4, "{}", ran.stdout);
    insta::assert_snapshot!("several_edit_asked", ran.stdout);
    assert!(
        terminal
            .ok(&["config", "show", "CLAWD"])
            .contains("dca_amount_usd = \"25\"")
    );
    let yes = [&edit[..], &["--yes"]].concat();
    let ran = terminal.on_a_terminal(&yes, "");
    assert!(ran.code == 0 && !ran.stdout.contains("[y/N]"), "{}", ran.stdout);
    assert!(
        terminal
            .ok(&["config", "show", "TWO"])
            .contains("dca_amount_usd = \"30\"")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn selling_real_money_is_asked_for_on_a_terminal_and_only_there() {
    let terminal = five().await;
    live(&terminal).await;
    // Both hold tokens; the price is 2 USD and 90 s old.
    let sql = "WITH held AS (
                   UPDATE jobs SET token_balance = 12345678900000000000, cost_basis = 20 WHERE id IN (1, 6))
               UPDATE job_slots SET last_price = 2, last_price_at = now() - interval '90 s' WHERE job_id IN (1, 6)";
    sqlx::query(sql).execute(&terminal.pool).await.expect("tokens");
    let mut filters = insta::Settings::clone_current();
    filters.add_filter(r"a price \d+m( \d+s)? old", "a price [age] old");
    let _filters = filters.bind_to_scope();
    for no in ["n\n", "", "\n", "yess\n"] {
        let ran = terminal.on_a_terminal(&["liquidate", "--all"], no);
        assert_eq!(ran.code, 4, "{no:?}: {}", ran.stdout);
        if no == "n\n" {
            insta::assert_snapshot!("several_sell_asked", ran.stdout);
        }
        assert_eq!(status(&terminal, "SIX"), "RUNNING");
    }
    // Paper money is not asked about, JSON and scripts are not asked at all.
    let ran = terminal.on_a_terminal(&["liquidate", "TWO"], "");
    assert!(
        ran.code == 0 && ran.stdout.contains("PAUSED -> LIQUIDATING"),
        "{}",
        ran.stdout
    );
    let ran = terminal.on_a_terminal(&["liquidate", "SIX"], "y\n");
    assert!(
        ran.code == 0
            && ran
                .stdout
                .contains("job 6 (SIX, LIVE on base): RUNNING -> LIQUIDATING"),
        "{}",
        ran.stdout
    );
    terminal.ok(&["pause", "SIX"]);
    assert_eq!(terminal.run(&["liquidate", "SIX"]).code, 0);
    terminal.ok(&["pause", "SIX"]);
    let ran = terminal.on_a_terminal(&["liquidate", "SIX", "--yes"], "");
    assert!(ran.code == 0 && !ran.stdout.contains("[y/N]"), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn trading_on_with_real_money_is_asked_for_on_a_terminal() {
    let terminal = five().await;
    live(&terminal).await;
    let asked = |ran: &Ran| ran.stdout.contains("[y/N]");
    terminal.ok(&["pause", "SIX", "CLAWD"]);
    for no in ["n\n", ""] {
        let ran = terminal.on_a_terminal(&["resume", "CLAWD", "SIX"], no);
        assert_eq!(ran.code, 4, "{}", ran.stdout);
        let question = "Resume trading with real money:";
        let named = ran.stdout.contains("job 6 (SIX, LIVE on base), wallet 0x");
        assert!(ran.stdout.contains(question) && named, "{}", ran.stdout);
        assert!(!ran.stdout.contains("job 1 (CLAWD"), "paper: {}", ran.stdout);
        assert_eq!(status(&terminal, "SIX"), "PAUSED");
        assert_eq!(status(&terminal, "CLAWD"), "PAUSED");
    }
    let ran = terminal.on_a_terminal(&["resume", "CLAWD"], "");
    assert!(ran.code == 0 && !asked(&ran), "{}", ran.stdout);
    let ran = terminal.on_a_terminal(&["resume", "SIX"], "y\n");
    assert!(ran.code == 0 && asked(&ran), "{}", ran.stdout);
    assert_eq!(status(&terminal, "SIX"), "RUNNING");
    // Nothing would trade again.
    let ran = terminal.on_a_terminal(&["resume", "SIX"], "");
    assert!(!asked(&ran), "{}", ran.stdout);
    // Scripts are not asked, nor is who says yes at once.
    terminal.ok(&["pause", "SIX"]);
    terminal.ok(&["resume", "SIX"]);
    terminal.ok(&["pause", "SIX"]);
    let ran = terminal.on_a_terminal(&["resume", "SIX", "--yes"], "");
    assert!(ran.code == 0 && !asked(&ran), "{}", ran.stdout);
    // The undo of a pause asks about the jobs that it brings back.
    let paused = terminal.ok(&["pause", "--all"]);
    let undo = paused.lines().find_map(|line| line.strip_prefix("undo: lgi-mm "));
    let undo: Vec<&str> = undo.expect("an undo").split(' ').collect();
    let ran = terminal.on_a_terminal(&undo, "n\n");
    assert!(
        ran.code == 4 && ran.stdout.contains("job 6 (SIX, LIVE on base), wallet"),
        "{}",
        ran.stdout
    );
    assert_eq!(status(&terminal, "CLAWD"), "PAUSED");
    let ran = terminal.on_a_terminal(&undo, "y\n");
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert_eq!(
        (
            status(&terminal, "SIX").as_str(),
            status(&terminal, "CLAWD").as_str()
        ),
        ("RUNNING", "RUNNING")
    );
    // A slot by hand may be a trade.
    let ran = terminal.on_a_terminal(&["tick", "SIX"], "n\n");
    let question =
        "Evaluate a slot of job 6 (SIX, LIVE on base) now? It may trade with real money from wallet 0x";
    assert!(ran.code == 4 && ran.stdout.contains(question), "{}", ran.stdout);
    let ticks: i64 = sqlx::query_scalar("SELECT count(*) FROM ticks WHERE job_id = 6")
        .fetch_one(&terminal.pool)
        .await
        .expect("a number");
    assert_eq!(ticks, 0);
    let ran = terminal.on_a_terminal(&["tick", "CLAWD"], "");
    assert!(!asked(&ran), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_is_asked_for_on_a_terminal() {
    let terminal = five().await;
    let ran = terminal.on_a_terminal(&["remove", "FOUR"], "n\n");
    assert_eq!(ran.code, 4, "{}", ran.stdout);
    let question =
        "Remove job 4 (FOUR, paper on base)? This cannot be undone; the history stays in the database. [y/N]";
    assert!(ran.stdout.contains(question), "{}", ran.stdout);
    assert!(ran.stdout.contains("nothing was changed"), "{}", ran.stdout);
    // A job that cannot be removed is no question.
    let ran = terminal.on_a_terminal(&["remove", "CLAWD"], "");
    assert!(ran.code == 4 && !ran.stdout.contains("[y/N]"), "{}", ran.stdout);
    let ran = terminal.on_a_terminal(&["remove", "FOUR"], "y\n");
    assert!(
        ran.code == 0 && ran.stdout.contains("IDLE -> removed"),
        "{}",
        ran.stdout
    );
}
