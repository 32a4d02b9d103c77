//! The trail of what was ordered: every request that writes leaves one row, with who ordered it and what it changed.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::terminal::{QUIET, TOKEN, Terminal};

#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
struct Row {
    actor: String,
    action: String,
    subject: String,
}

async fn rows(terminal: &Terminal) -> Vec<Row> {
    sqlx::query_as("SELECT actor, action, subject FROM audit ORDER BY id")
        .fetch_all(&terminal.pool)
        .await
        .expect("the audit")
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_belong_to_no_job_have_an_audit_row_each_and_reading_has_none() {
    let terminal = Terminal::new().await;
    for args in [
        vec!["paper", "wallet"],
        vec!["paper", "fault"],
        vec!["reconcile"],
        vec!["reconcile", "--apply"],
        vec!["prune", "--dry-run"],
        vec!["notify", "list"],
        vec!["list"],
    ] {
        terminal.ok(&args);
    }
    assert_eq!(rows(&terminal).await, vec![]);
    let writes = [
        (vec!["paper", "fund", "--usdc", "12.5"], "paper_fund", "base"),
        (
            vec!["paper", "fault", "revert", "--times", "2", "--token", TOKEN],
            "paper_fault",
            "base",
        ),
        (vec!["paper", "fault", "--clear"], "paper_faults_clear", "base"),
        (vec!["prune"], "prune", "database"),
        (vec!["migrate"], "migrate", "database"),
    ];
    let mut expected = Vec::new();
    for (args, action, subject) in writes {
        terminal.ok(&args);
        expected.push(Row {
            actor: "cli:tester".to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
        });
        assert_eq!(rows(&terminal).await, expected, "{args:?}");
    }
    let detail: serde_json::Value =
        sqlx::query_scalar("SELECT detail FROM audit WHERE action = 'paper_fund'")
            .fetch_one(&terminal.pool)
            .await
            .expect("a detail");
    assert_eq!(detail, serde_json::json!({ "asset": "usdc", "balance": "12.5" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fund_command_with_one_bad_amount_changes_nothing() {
    let terminal = Terminal::new().await;
    let before = terminal.ok(&["paper", "wallet"]);
    let ran = terminal.run(&[
        "paper",
        "fund",
        "--usdc",
        "1",
        "--native",
        "0.1234567890123456789",
    ]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert_eq!(terminal.ok(&["paper", "wallet"]), before);
    assert_eq!(rows(&terminal).await, vec![]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_of_the_audit_is_ever_changed_or_deleted() {
    let terminal = Terminal::new().await;
    terminal.ok(&["prune"]);
    for sql in ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"] {
        let refused = sqlx::query(sql).execute(&terminal.pool).await;
        let error = refused.expect_err("it is append-only").to_string();
        assert!(error.contains("audit is append-only"), "{error}");
    }
}

/// The history of a job is read by programs: its JSON is a format, not what a type prints for debugging.
#[tokio::test(flavor = "multi_thread")]
async fn orders_to_a_job_are_in_its_history_as_tagged_json() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    terminal.ok(&["pause", TOKEN]);
    terminal.ok(&["resume", TOKEN]);
    terminal.ok(&["liquidate", TOKEN, "--over", "1h", "--slices", "3"]);
    let events: Vec<(String, serde_json::Value, serde_json::Value)> = sqlx::query_as(
        "SELECT action, before, after FROM job_events WHERE action IN ('pause', 'resume', 'liquidate') ORDER BY id",
    )
    .fetch_all(&terminal.pool)
    .await
    .expect("the history");
    let expected = [
        (
            "pause",
            serde_json::json!({ "status": "RUNNING" }),
            // 1: the first row of `audit`, whose undo is `resume --paused-by 1`.
            serde_json::json!({ "transition": { "to": "PAUSED" }, "order": { "command": "pause" }, "paused_by": 1 }),
        ),
        (
            "resume",
            serde_json::json!({ "status": "PAUSED" }),
            serde_json::json!({ "transition": { "to": "RUNNING" }, "order": { "command": "resume" } }),
        ),
        (
            "liquidate",
            serde_json::json!({ "status": "RUNNING" }),
            serde_json::json!({
                "transition": { "to": "LIQUIDATING" },
                "order": { "command": "liquidate", "over": "1h", "slices": 3 },
            }),
        ),
    ];
    let expected = expected.map(|(action, before, after)| (action.to_owned(), before, after));
    assert_eq!(events, expected);
}

/// How a request of `src/app` is shown to leave its row.
enum Shown {
    /// These commands, in this order, beside those of the other requests.
    Here(&'static [&'static str], Place),
    /// It needs a chain: this test looks at its row.
    By(&'static str),
    /// It writes a file of its machine and opens no database: it is logged.
    Logged,
    /// It changes nothing that is kept.
    Nothing,
    /// It runs other requests of this table.
    Composed,
}

/// Where a row is, its action, and whether it has what was before.
struct Place {
    table: &'static str,
    action: &'static str,
    before: bool,
    /// Further rows: an order to several jobs at once has one of its own, and a new job is made and started.
    more: &'static [(&'static str, &'static str)],
}

const fn of_job(action: &'static str, before: bool) -> Place {
    Place {
        table: "job_events",
        action,
        before,
        more: &[],
    }
}

const fn of_none(action: &'static str) -> Place {
    Place {
        table: "audit",
        action,
        before: false,
        more: &[],
    }
}

const STARTED: Place = Place {
    more: &[("job_events", "start")],
    ..of_job("create", false)
};

const PAUSED: Place = Place {
    more: &[("audit", "pause_jobs")],
    ..of_job("pause", true)
};

const EDIT: &[&str] = &["config", "edit", TOKEN, "--set", "accumulate.dca_amount_usd=30"];

/// Every function of `src/app` that takes an actor, in an order in which the commands can be given.
const WRITES: &[(&str, Shown)] = &[
    (
        "services::migrated",
        Shown::Here(&["migrate"], of_none("migrate")),
    ),
    ("jobs::start::start", Shown::Here(&["start"], STARTED)),
    (
        "jobs::start::together::start_all",
        Shown::By("one_command_starts_all_members_of_a_file_and_each_shows_the_basket"),
    ),
    ("jobs::lifecycle::pause", Shown::Here(&["pause", TOKEN], PAUSED)),
    (
        "jobs::lifecycle::resume",
        Shown::Here(&["resume", TOKEN], of_job("resume", true)),
    ),
    ("jobs::config::edit", Shown::Here(EDIT, of_job("configure", true))),
    (
        "jobs::lifecycle::liquidate",
        Shown::Here(&["liquidate", TOKEN], of_job("liquidate", true)),
    ),
    (
        "jobs::tick::tick_once",
        Shown::By("a_tick_whose_reader_loses_only_its_lock_is_carried_out_once"),
    ),
    (
        "jobs::tick::tick",
        Shown::Here(&["tick", TOKEN], of_job("tick", false)),
    ),
    (
        "jobs::lifecycle::remove",
        Shown::Here(&["remove", TOKEN], of_job("remove", true)),
    ),
    (
        "paper::fund",
        Shown::Here(&["paper", "fund", "--usdc", "12.5"], of_none("paper_fund")),
    ),
    (
        "paper::add_fault",
        Shown::Here(&["paper", "fault", "revert"], of_none("paper_fault")),
    ),
    (
        "paper::clear_faults",
        Shown::Here(&["paper", "fault", "--clear"], of_none("paper_faults_clear")),
    ),
    ("prune::prune", Shown::Here(&["prune"], of_none("prune"))),
    (
        "keep::backup::backup",
        Shown::By("a_restored_ledger_is_the_ledger_row_by_row_and_its_live_wallets_are_halted"),
    ),
    (
        "keep::restore::restore",
        Shown::By("a_restored_ledger_is_the_ledger_row_by_row_and_its_live_wallets_are_halted"),
    ),
    (
        "jobs::lifecycle::resume_paused_by",
        Shown::By("the_undo_of_a_pause_gives_back_what_it_stopped_and_nothing_else"),
    ),
    (
        "adopt::adopt",
        Shown::By("a_new_database_buys_nothing_with_a_wallet_that_has_a_past_until_it_is_adopted"),
    ),
    (
        "adopt::count_in",
        Shown::By("a_backup_from_before_the_first_trade_buys_nothing_again"),
    ),
    (
        "jobs::adopt::adopt",
        Shown::By("adopted_tokens_are_the_jobs_at_their_cost_and_every_view_agrees"),
    ),
    (
        "jobs::release::release",
        Shown::By("a_released_job_ends_without_a_sale_and_without_a_profit"),
    ),
    (
        "reconcile::repair",
        Shown::By(
            "a_foreign_transaction_on_the_nonce_of_an_open_trade_stops_the_signer_until_it_is_reconciled",
        ),
    ),
    (
        "policy::allow::write",
        Shown::By("without_a_policy_nothing_is_signed_and_one_command_allows_a_job"),
    ),
    (
        "withdraw::withdraw",
        Shown::By("what_no_job_holds_goes_where_the_policy_says_and_trading_goes_on"),
    ),
    (
        "console::link",
        Shown::By("a_link_opens_the_console_once_and_for_five_minutes"),
    ),
    (
        "tokens::create",
        Shown::By("a_token_ends_by_the_clock_of_the_database_or_at_once_and_stands_nowhere"),
    ),
    (
        "tokens::revoke",
        Shown::By("a_token_ends_by_the_clock_of_the_database_or_at_once_and_stands_nowhere"),
    ),
    ("policy::stop::set_stop", Shown::Logged),
    ("wallets::store::create", Shown::Logged),
    ("wallets::store::import", Shown::Logged),
    ("wallets::passwd::change", Shown::Logged),
    ("receivers::test", Shown::Nothing),
    ("demo::run::create_jobs", Shown::Composed),
    ("demo::jobs::sell", Shown::Composed),
    ("demo::jobs::pause_all", Shown::Composed),
];

/// `module::function` of the public functions below `dir` whose parameters have an actor.
fn with_an_actor(dir: &Path, module: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let below = if module.is_empty() {
            name.clone()
        } else {
            format!("{module}::{name}")
        };
        if path.is_dir() {
            with_an_actor(&path, &below, found);
            continue;
        }
        let of = if name == "mod" { module.to_owned() } else { below };
        let source = fs::read_to_string(&path).expect("a source file");
        for (at, _) in source.match_indices("fn ") {
            let line = source[..at].rsplit('\n').next().expect("a line");
            let signature = source[at..].split(['{', ';']).next().expect("a signature");
            if ["pub ", "pub async "].contains(&line) && signature.contains("actor: &Actor") {
                let name = signature[3..].split(['(', '<']).next().expect("a name");
                found.insert(format!("{of}::{name}"));
            }
        }
    }
}

fn sources(dir: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all += &sources(&path);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            all += &fs::read_to_string(&path).expect("a source file");
        }
    }
    all
}

#[test]
fn every_request_that_takes_an_actor_is_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    with_an_actor(&root.join("src/app"), "", &mut found);
    let listed: BTreeSet<String> = WRITES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, listed);
    let tests = sources(&root.join("tests"));
    for (name, shown) in WRITES {
        if let Shown::By(test) = shown {
            assert!(
                tests.contains(&format!("async fn {test}()")),
                "{name}: there is no test {test}"
            );
        }
    }
}

type Written = (String, String, Option<Value>, Option<Value>);

/// All rows, those of jobs first.
async fn written(terminal: &Terminal) -> Vec<(String, Written)> {
    let mut all = Vec::new();
    for (table, sql) in [
        (
            "job_events",
            "SELECT actor, action, before, after FROM job_events ORDER BY id",
        ),
        (
            "audit",
            "SELECT actor, action, NULL::jsonb, detail FROM audit ORDER BY id",
        ),
    ] {
        let rows: Vec<Written> = sqlx::query_as(sql).fetch_all(&terminal.pool).await.expect(sql);
        all.extend(rows.into_iter().map(|row| (table.to_owned(), row)));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_that_writes_leaves_one_row_with_its_actor_and_what_it_changed() {
    let terminal = Terminal::new().await;
    let mut before = written(&terminal).await;
    for (name, shown) in WRITES {
        let Shown::Here(args, row) = shown else {
            continue;
        };
        let start = ["start", TOKEN, "--mode", "accumulate"];
        let args = if *args == ["start"] {
            [&start[..], &QUIET].concat()
        } else {
            args.to_vec()
        };
        terminal.ok(&args);
        let after = written(&terminal).await;
        let new: Vec<_> = after.iter().filter(|row| !before.contains(row)).collect();
        let ordered: Vec<_> = new.iter().filter(|(_, (actor, ..))| actor != "engine").collect();
        let [(table, (actor, action, was, is)), more @ ..] = &ordered[..] else {
            panic!("{name}: one row, not {new:?}")
        };
        let more: Vec<_> = more
            .iter()
            .map(|(table, (_, action, ..))| (table.as_str(), action.as_str()))
            .collect();
        assert_eq!(more, row.more, "{name}");
        assert_eq!(
            (table.as_str(), action.as_str()),
            (row.table, row.action),
            "{name}"
        );
        assert_eq!(actor, "cli:tester", "{name}");
        assert!(is.as_ref().is_some_and(Value::is_object), "{name}: {is:?}");
        assert_eq!(was.is_some(), row.before, "{name}: {was:?}");
        before = after;
    }
}
