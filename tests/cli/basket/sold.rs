//! `basket liquidate`: all members of a basket are sold by one command.

use alloy_primitives::{Address, U256};
use lgi_mm::{
    domain::{
        config::{BasketConfig, JobConfig, Rules},
        job::{JobMode, Realm},
        units::Amount,
    },
    store::{
        jobs,
        orders::{self, Order},
    },
};
use serde_json::Value;

use super::said;
use crate::{pnl::json, terminal::Terminal};

/// Tokens of this many members: ONE, TWO, ...
const NAMES: [&str; 4] = ["ONE", "TWO", "THREE", "FOUR"];

/// A basket called `index` of the first `count` names, started, and a job of another kind.
async fn basket(count: usize) -> Terminal {
    let terminal = Terminal::new().await;
    let mut text =
        "[price]\nsources = [\"generated\"]\ngenerated.swing_pct = 0\n[basket]\nname = \"index\"\n"
            .to_owned();
    for (number, name) in NAMES.iter().enumerate().take(count) {
        text.push_str(&format!(
            "[[member]]\ntoken = \"0x{:040x}\"\nsymbol = \"{name}\"\n",
            number + 1
        ));
    }
    terminal.file("index.toml", &text);
    terminal.ok(&["basket", "start", "index.toml"]);
    terminal.start(&[]);
    terminal
}

/// Each job: its ticker and status.
async fn statuses(terminal: &Terminal) -> Vec<String> {
    sqlx::query_scalar("SELECT concat_ws(' ', token_symbol, status) FROM jobs ORDER BY id")
        .fetch_all(&terminal.pool)
        .await
        .expect("jobs")
}

/// What a command did to each job: its ticker, its status before and after.
fn changes(answer: &Value) -> Vec<String> {
    let jobs = answer["jobs"].as_array().expect("jobs").iter();
    jobs.map(|job| format!("{} {} {}", job["symbol"], job["before"], job["after"]).replace('"', ""))
        .collect()
}

/// The orders to sell in the history of each job: job, actor and transaction.
async fn orders_to_sell(terminal: &Terminal) -> Vec<(i64, String, String)> {
    sqlx::query_as("SELECT job_id, actor, xmin::text FROM job_events WHERE action = 'liquidate' ORDER BY id")
        .fetch_all(&terminal.pool)
        .await
        .expect("events")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_orders_the_sale_of_all_members_once_and_leaves_other_jobs_alone() {
    let terminal = basket(4).await;
    terminal.ok(&["pause", "TWO"]);
    sqlx::query(
        "UPDATE jobs SET status = CASE id WHEN 3 THEN 'ERROR' ELSE 'IDLE' END, stopped_at = now(),
                status_before_stop = CASE id WHEN 3 THEN 'RUNNING' END
         WHERE id IN (3, 4)",
    )
    .execute(&terminal.pool)
    .await
    .expect("an error, and one that is sold");
    let sell = ["basket", "liquidate", "index", "--over", "1h", "--json"];
    let sold = json(&terminal, &sell[..5]);
    let expected = [
        "ONE RUNNING LIQUIDATING",
        "TWO PAUSED LIQUIDATING",
        "THREE ERROR LIQUIDATING",
        "FOUR IDLE IDLE",
    ];
    assert_eq!(changes(&sold), expected, "{sold}");
    let rows = orders_to_sell(&terminal).await;
    let jobs: Vec<i64> = rows.iter().map(|(job, ..)| *job).collect();
    assert_eq!(jobs, [1, 2, 3]);
    assert!(
        rows.iter()
            .all(|(_, actor, transaction)| actor == "cli:tester" && *transaction == rows[0].2),
        "one transaction: {rows:?}"
    );
    // Once more: nothing changes. With another plan: it says so.
    let again = json(&terminal, &sell[..5]);
    assert!(
        again["nothing"]
            .as_str()
            .is_some_and(|nothing| nothing.contains("4 jobs fit")),
        "{again}"
    );
    for _ in 0..2 {
        let other = terminal.run(&["basket", "liquidate", "index", "--over", "2h"]);
        assert!(
            other.code == 4 && other.stdout.contains("is LIQUIDATING with another plan"),
            "{}",
            other.story()
        );
    }
    assert_eq!(orders_to_sell(&terminal).await, rows);
    assert_eq!(
        statuses(&terminal).await,
        [
            "ONE LIQUIDATING",
            "TWO LIQUIDATING",
            "THREE LIQUIDATING",
            "FOUR IDLE",
            "CLAWD RUNNING"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_that_was_bought_is_sold_to_the_last_token() {
    let terminal = basket(2).await;
    for token in ["ONE", "TWO", "ONE"] {
        terminal.run(&["tick", token]);
    }
    let held = "SELECT count(*) FROM jobs WHERE mode = 'BASKET' AND token_balance > 0";
    let held = || async {
        let count: i64 = sqlx::query_scalar(held)
            .fetch_one(&terminal.pool)
            .await
            .expect("a number");
        count
    };
    assert_eq!(held().await, 2);
    let sell = ["basket", "liquidate", "index"];
    for _ in 0..2 {
        said(
            &terminal,
            &sell,
            &["job 1 (ONE, paper on base)", "job 2", "LIQUIDATING"],
        );
    }
    // The first sells while the other one waits for its slot: nothing is bought with what that brought.
    for token in ["ONE", "ONE", "TWO", "TWO"] {
        terminal.run(&["tick", token]);
    }
    assert_eq!(held().await, 0);
    let sides: Vec<String> = sqlx::query_scalar("SELECT side FROM trades ORDER BY id")
        .fetch_all(&terminal.pool)
        .await
        .expect("trades");
    assert_eq!(sides, ["BUY", "BUY", "SELL", "SELL"]);
    for _ in 0..2 {
        said(
            &terminal,
            &sell,
            &[
                "job 1 (ONE, paper on base): IDLE (cannot be liquidated)",
                "nothing was changed",
            ],
        );
    }
    assert_eq!(orders_to_sell(&terminal).await.len(), 2);
    terminal.ok(&["remove", "ONE", "TWO", "--yes"]);
    let none = terminal.run(&sell);
    assert!(
        none.code == 3 && none.stderr.contains("no job is a member of a basket index"),
        "{}",
        none.story()
    );
}

/// A LIVE basket of the same name, of two jobs.
async fn live(terminal: &Terminal) {
    let mut config = JobConfig::for_mode(JobMode::Basket);
    config.rules = Rules::Basket(BasketConfig {
        name: "index".to_owned(),
        ..BasketConfig::default()
    });
    for number in [6, 7] {
        let symbol = format!("LIVE{number}");
        let mut new = testkit::paper_job(
            Address::repeat_byte(number),
            &symbol,
            JobMode::Basket,
            config.clone(),
        );
        new.account.realm = Realm::Live;
        let job = jobs::create(&terminal.pool, &new, "test").await.expect("a job");
        let deposit = Amount::new(U256::from(100_000_000_u64));
        let started = orders::order(&terminal.pool, job, Order::Start { deposit }, "test").await;
        started.expect("started");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_two_baskets_have_is_refused_and_real_money_is_asked_about() {
    let terminal = basket(2).await;
    live(&terminal).await;
    let before = statuses(&terminal).await;
    let both = terminal.run(&["basket", "liquidate", "index"]);
    assert!(
        both.code == 2
            && both.stderr.contains(
                "2 baskets have the name index (paper on base, LIVE on base): choose one by --live"
            ),
        "{}",
        both.story()
    );
    assert_eq!(statuses(&terminal).await, before);
    for (args, code, says) in [
        (&["index", "--chain", "nowhere"][..], 2, "nowhere"),
        (&["index", "--slices", "0"], 2, "liquidate"),
        (&["indx"], 3, "`lgi-mm list`"),
    ] {
        let ran = terminal.run(&[&["basket", "liquidate"], args].concat());
        assert!(ran.code == code && ran.stderr.contains(says), "{}", ran.story());
    }
    sqlx::query("UPDATE jobs SET token_balance = 1000, cost_basis = 1 WHERE realm = 'live'")
        .execute(&terminal.pool)
        .await
        .expect("tokens");
    let real = ["basket", "liquidate", "index", "--live"];
    let no = terminal.on_a_terminal(&real, "n\n");
    assert!(
        no.code == 4 && no.stdout.contains("Sell with real money") && no.stdout.contains("LIVE7"),
        "{}",
        no.stdout
    );
    assert_eq!(statuses(&terminal).await, before);
    let yes = terminal.on_a_terminal(&real, "y\n");
    assert!(yes.code == 0 && yes.stdout.contains("LIVE6"), "{}", yes.stdout);
    let paper = terminal.on_a_terminal(&["basket", "liquidate", "index", "--paper"], "");
    assert!(paper.code == 0, "{}", paper.stdout);
    let sold = orders_to_sell(&terminal).await;
    let jobs: Vec<i64> = sold.iter().map(|(job, ..)| *job).collect();
    assert_eq!(jobs, [4, 5, 1, 2], "{sold:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_cannot_be_read_is_named_and_the_others_are_sold() {
    let terminal = basket(3).await;
    sqlx::query("UPDATE jobs SET config = jsonb_set(config, '{limits}', '\"none\"') WHERE id = 2")
        .execute(&terminal.pool)
        .await
        .expect("a row of another build");
    for _ in 0..2 {
        let ran = terminal.run(&["basket", "liquidate", "index"]);
        assert!(
            ran.code == 5
                && ran.stdout.contains("job 2")
                && ran.stderr.contains("1 of 3 jobs could not follow"),
            "{}",
            ran.story()
        );
    }
    let jobs: Vec<i64> = orders_to_sell(&terminal)
        .await
        .into_iter()
        .map(|(job, ..)| job)
        .collect();
    assert_eq!(jobs, [1, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_pauses_all_members_and_one_resumes_them() {
    let terminal = basket(3).await;
    let answer = |args: &[&str]| changes(&json(&terminal, args));
    sqlx::query("UPDATE jobs SET status = 'IDLE' WHERE id = 3")
        .execute(&terminal.pool)
        .await
        .expect("one that was sold");
    let paused = answer(&["basket", "pause", "index"]);
    assert_eq!(
        paused,
        ["ONE RUNNING PAUSED", "TWO RUNNING PAUSED", "THREE IDLE IDLE"]
    );
    let stopped = ["ONE PAUSED", "TWO PAUSED", "THREE IDLE", "CLAWD RUNNING"];
    assert_eq!(statuses(&terminal).await, stopped);
    // One transaction, in the history of each.
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT job_id, xmin::text FROM job_events WHERE action = 'pause' ORDER BY id")
            .fetch_all(&terminal.pool)
            .await
            .expect("events");
    assert_eq!(rows.iter().map(|(job, _)| *job).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(rows[0].1, rows[1].1);
    for _ in 0..2 {
        answer(&["basket", "pause", "index"]);
    }
    assert_eq!(statuses(&terminal).await, stopped);
    let resumed = answer(&["basket", "resume", "index"]);
    assert_eq!(
        resumed,
        ["ONE PAUSED RUNNING", "TWO PAUSED RUNNING", "THREE IDLE IDLE"]
    );
    answer(&["basket", "resume", "index"]);
    let trading = ["ONE RUNNING", "TWO RUNNING", "THREE IDLE", "CLAWD RUNNING"];
    assert_eq!(statuses(&terminal).await, trading);
    // The number of a pause undoes it.
    let number = json(&terminal, &["basket", "pause", "index"])["pause"].to_string();
    terminal.ok(&["resume", "--paused-by", &number]);
    assert_eq!(statuses(&terminal).await, trading);
    for command in ["pause", "resume"] {
        let unknown = terminal.run(&["basket", command, "nothing"]);
        assert!(
            unknown.code == 3 && unknown.stderr.contains("nothing"),
            "{}",
            unknown.story()
        );
    }
}
