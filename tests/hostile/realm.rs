//! Finding 2b: no job trades real money on invented prices, wherever its configuration came from; and the example
//! settings are safe as they are.

mod sources;

use std::process::{Output, Stdio};

use alloy_primitives::Address;
use axum::{Json, Router, extract::Path, routing::get};
use lgi_mm::{
    devnet::BlockTime,
    domain::{job::JobStatus, span::Span},
};
use serde_json::json;
use testkit::live::{KEY, World};
use tokio::process::Command;

/// The settings that were shipped before: every default written out, invented prices among them.
const OLD_DEFAULTS: &str = "
[defaults.schedule]
jitter = \"0s\"
[defaults.price]
sources = [\"generated\"]
max_price_move_pct = 50
";

/// The example as it is shipped.
const EXAMPLE: &str = include_str!("../../lgi-mm.example.toml");

fn buys() -> serde_json::Value {
    json!({ "accumulate": { "dca_amount_usd": "10", "dca_interval": "1s", "max_accumulation_usd": "1000" } })
}

async fn set(world: &World, sql: &'static str) {
    sqlx::query(sql).execute(&world.db.pool).await.expect("changed");
}

async fn holds(world: &World, job: i64, reason: &str) -> i64 {
    let sql = "SELECT coalesce(sum(count), 0)::bigint FROM ticks WHERE job_id = $1 AND reason = $2";
    let found: i64 = sqlx::query_scalar(sql)
        .bind(job)
        .bind(reason)
        .fetch_one(&world.db.pool)
        .await
        .expect("holds");
    found
}

async fn trades(world: &World, job: i64) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM trades WHERE job_id = $1")
        .bind(job)
        .fetch_one(&world.db.pool)
        .await
        .expect("trades")
}

/// Finding 2b at load: a row says what no command would have accepted.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_row_with_invented_prices_holds_by_name_and_stops_no_other() {
    let world = World::new(BlockTime::Every(Span::from_secs(1))).await;
    let at = world.devnet.deployment().clone();
    let bad = world.start(at.token, "TT", buys()).await.0;
    let good = world.start(at.clanker, "CLAWDIA", buys()).await.0;
    set(
        &world,
        "UPDATE jobs SET config = jsonb_set(config, '{price,sources}', '[\"generated\"]') WHERE token_symbol = 'TT'",
    )
    .await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "the good job bought",
            "SELECT EXISTS (SELECT FROM trades t JOIN jobs j ON j.id = t.job_id WHERE j.token_symbol = 'CLAWDIA' AND t.status = 'EXECUTED')",
        )
        .await;
    world
        .until(
            "the other held by name",
            "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'config_refused' AND detail LIKE '%price.sources = [generated]%')",
        )
        .await;
    daemon.kill().await.expect("killed");
    assert_eq!(trades(&world, bad).await, 0, "{}", world.story().await);
    assert!(trades(&world, good).await > 0);
    let (code, said) = world.run(&["status", "TT"]).await;
    assert_eq!(code, 0, "{said}");
    for named in ["config_refused", "generated", "onchain, dexscreener"] {
        assert!(said.contains(named), "{named}: {said}");
    }
    let (code, said) = world.run(&["list"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("TT") && said.contains("CLAWDIA"), "{said}");
    // What it says to do is what helps.
    let edit = ["config", "edit", "TT", "--set", "price.sources=onchain"];
    let (code, said) = world.run(&edit).await;
    assert_eq!(code, 0, "{said}");
    let mut daemon = world.daemon(None);
    world
        .until(
            "the repaired job bought",
            "SELECT EXISTS (SELECT FROM trades t JOIN jobs j ON j.id = t.job_id WHERE j.token_symbol = 'TT' AND t.status = 'EXECUTED')",
        )
        .await;
    daemon.kill().await.expect("killed");
    assert_eq!(holds(&world, good, "config_refused").await, 0);
}

/// A plan that was frozen before its row was changed is not signed either.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_plan_of_a_refused_configuration_is_given_up_unsigned() {
    let world = World::new(BlockTime::Every(Span::from_secs(1))).await;
    let at = world.devnet.deployment().clone();
    world.start(at.token, "TT", buys()).await;
    let mut first = world.daemon_with(&[
        (lgi_mm::failpoint::VARIABLE, "frozen"),
        ("LGI_MM__TRADING__PLAN_LIFETIME", "10s"),
    ]);
    first.wait().await.expect("it dies once the plan is frozen");
    set(
        &world,
        "UPDATE jobs SET config = jsonb_set(config, '{price,sources}', '[\"onchain\", \"generated\"]')",
    )
    .await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "the plan is given up",
            "SELECT bool_and(status = 'FAILED') FROM trades",
        )
        .await;
    daemon.kill().await.expect("killed");
    let signed: i64 = sqlx::query_scalar("SELECT count(*) FROM attempts")
        .fetch_one(&world.db.pool)
        .await
        .expect("attempts");
    assert_eq!(signed, 0, "{}", world.story().await);
}

/// Our program with settings of its own and nothing else but the database and a key.
async fn run_with(
    world: &World,
    settings: &std::path::Path,
    more: &[(String, String)],
    args: &[&str],
) -> (i32, String) {
    let output: Output = command(world, settings, more, args)
        .output()
        .await
        .expect("our own program runs");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().expect("an exit"),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn command(world: &World, settings: &std::path::Path, more: &[(String, String)], args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
    command
        .args(args)
        .env("DATABASE_URL", &world.db.url)
        .env("LGI_MM_SETTINGS", settings)
        .env("LGI_MM_UNSAFE_PRIVATE_KEY", KEY)
        .env("LGI_MM_POLICY", world.policy())
        .env("LGI_MM_POLICY_STATE", world.policy_state())
        .env("LGI_MM__METRICS__LISTEN", "off")
        .envs(more.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// What the file of `lgi-mm devnet` says, as variables.
fn chain_by_environment(world: &World) -> Vec<(String, String)> {
    let keys = serde_json::to_value(world.devnet.chain_file()).expect("keys");
    let mut variables = Vec::new();
    flatten("LGI_MM__CHAINS__LOCAL", &keys, &mut variables);
    variables
}

fn flatten(name: &str, value: &serde_json::Value, variables: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Null => {}
        serde_json::Value::Object(inner) => {
            for (key, value) in inner {
                flatten(&format!("{name}__{}", key.to_uppercase()), value, variables);
            }
        }
        serde_json::Value::Array(items) => {
            let texts: Vec<&str> = items.iter().filter_map(|item| item.as_str()).collect();
            variables.push((name.to_owned(), texts.join(",")));
        }
        serde_json::Value::String(text) if text.is_empty() => {}
        serde_json::Value::String(text) => variables.push((name.to_owned(), text.clone())),
        other => variables.push((name.to_owned(), other.to_string())),
    }
}

fn start<'a>(token: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec![
        "start",
        token,
        "--mode",
        "accumulate",
        "--live",
        "--chain",
        "local",
        "--set",
        "limits.max_slippage_bps=300",
        "--set",
        "schedule.cron=* * * * * *",
    ];
    args.extend(more);
    args
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_copied_word_for_word_goes_live_and_buys_at_a_sane_price() {
    let world = World::new(BlockTime::Every(Span::from_secs(1))).await;
    let dir = tempfile::tempdir().expect("a directory");
    let settings = dir.path().join("lgi-mm.toml");
    std::fs::write(&settings, EXAMPLE).expect("a copy");
    let chain = chain_by_environment(&world);
    let token: Address = world.devnet.deployment().token;
    let (code, said) = run_with(&world, &settings, &chain, &start(&token.to_string(), &[])).await;
    assert_eq!(code, 0, "{said}");
    for safeguard in [
        "jitter 10s",
        "from the pool ALONE",
        "more than 5 %",
        "onchain says",
    ] {
        assert!(said.contains(safeguard), "{safeguard}: {said}");
    }
    assert!(!said.contains("generated"), "{said}");
    world.permit_token(token);
    let mut daemon = command(&world, &settings, &chain, &["daemon"])
        .spawn()
        .expect("a daemon");
    world
        .until(
            "it bought",
            "SELECT EXISTS (SELECT FROM trades WHERE status = 'EXECUTED')",
        )
        .await;
    daemon.kill().await.expect("killed");
    // What came in is worth what went out, less the pool's fee and the slippage that was allowed.
    let sane: bool = sqlx::query_scalar(
        "SELECT abs(f.base_amount * t.price_usd / 1e18 / f.quote_usd - 1) < 0.05 FROM fills f JOIN trades t ON t.id = f.trade_id",
    )
    .fetch_one(&world.db.pool)
    .await
    .expect("a fill");
    assert!(sane, "{}", world.story().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_example_is_refused_by_name_at_start_and_edit() {
    let world = World::new(BlockTime::OnTransaction).await;
    let dir = tempfile::tempdir().expect("a directory");
    let settings = dir.path().join("lgi-mm.toml");
    std::fs::write(&settings, OLD_DEFAULTS).expect("settings");
    let chain = chain_by_environment(&world);
    let token = world.devnet.deployment().token.to_string();
    let (code, said) = run_with(&world, &settings, &chain, &start(&token, &[])).await;
    assert_eq!(code, 2, "{said}");
    for named in ["price.sources = [generated]", "onchain, dexscreener", "not real"] {
        assert!(said.contains(named), "{named}: {said}");
    }
    let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs")
        .fetch_one(&world.db.pool)
        .await
        .expect("jobs");
    assert_eq!(jobs, 0);
    // Each other way to the same place.
    let file = dir.path().join("job.toml");
    std::fs::write(
        &file,
        "[price]\nsources = [\"onchain\", \"recorded\"]\n[price.recorded]\nfile = \"x.csv\"\n",
    )
    .expect("a file");
    let file = file.display().to_string();
    let good = ["--set", "price.sources=onchain", "--set", "schedule.jitter=0s"];
    for way in [
        vec!["--set", "price.sources=generated"],
        vec!["--set", "price.sources=onchain,generated"],
        vec![
            "--set",
            "price.sources=[\"recorded\"]",
            "--set",
            "price.recorded.file=x.csv",
        ],
        vec!["--config", &file],
    ] {
        let (code, said) = run_with(&world, &settings, &chain, &start(&token, &way)).await;
        assert_eq!(
            (code, said.contains("price.sources")),
            (2, true),
            "{way:?}: {said}"
        );
    }
    let (code, said) = run_with(&world, &settings, &chain, &start(&token, &good)).await;
    assert_eq!(code, 0, "{said}");
    for way in [
        vec!["--set", "price.sources=generated"],
        vec![
            "--set",
            "price.sources=onchain,recorded",
            "--set",
            "price.recorded.file=x.csv",
        ],
        vec!["--config", &file],
    ] {
        let args = [vec!["config", "edit", "TT"], way.clone()].concat();
        let (code, said) = run_with(&world, &settings, &chain, &args).await;
        assert_eq!(
            (code, said.contains("price.sources")),
            (2, true),
            "{way:?}: {said}"
        );
    }
    let status: String = sqlx::query_scalar("SELECT status FROM jobs")
        .fetch_one(&world.db.pool)
        .await
        .expect("the job");
    assert_eq!(status, JobStatus::Running.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_floors_of_real_money_are_said_before_anything_is_asked_of_a_chain() {
    let world = World::new(BlockTime::OnTransaction).await;
    let nowhere = [(
        "LGI_MM__CHAINS__BASE__RPC_URLS".to_owned(),
        "http://127.0.0.1:9".to_owned(),
    )];
    let token = world.devnet.deployment().token.to_string();
    for (set, named) in [
        (
            "schedule.jitter=0s",
            "schedule.jitter = 0s is not allowed: 5s to 1h",
        ),
        ("price.max_price_move_pct=0", "above 0, up to 10"),
        ("price.max_price_age=1s", "30s to 15m"),
        ("limits.max_slippage_bps=5000", "1 to 1000"),
    ] {
        let args = [
            "start",
            &token,
            "--mode",
            "accumulate",
            "--live",
            "--set",
            "price.sources=onchain",
            "--set",
            set,
        ];
        let (code, said) = run_with(&world, world.settings(), &nowhere, &args).await;
        assert_eq!((code, said.contains(named)), (2, true), "{set}: {said}");
        assert!(said.contains("live job on base"), "{said}");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("job.toml");
    std::fs::write(&file, "[schedule]\njitter = \"1s\"\n").expect("a file");
    let file = file.display().to_string();
    let check = ["config", "check", &file, "--mode", "accumulate"];
    let (code, said) = world.run(&check).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = world.run(&[&check[..], &["--live"]].concat()).await;
    assert_eq!((code, said.contains("schedule.jitter = 1s")), (2, true), "{said}");
    let (code, said) = world
        .run(&[&check[..], &["--live", "--chain", "local"]].concat())
        .await;
    assert_eq!(code, 0, "{said}");
}
