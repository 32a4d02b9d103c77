//! Restored, lost and forgotten databases: what another life of the wallet bought is not bought again.

use std::time::Duration;

use lgi_mm::{devnet::BlockTime, domain::job::JobId, ports::Chain};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, PgPool};
use testkit::{
    TestDb,
    live::{WALLET, World},
};

const HALTED: &str = "SELECT EXISTS (SELECT FROM signers WHERE halted_reason IS NOT NULL)";
const ALL_FINAL: &str =
    "SELECT count(*) > 0 AND bool_and(status NOT IN ('PENDING', 'SUBMITTED')) FROM trades";
const ONE_BUY: &str = "SELECT count(*) >= 1 FROM trades WHERE status = 'EXECUTED'";
const THREE_BUYS: &str = "SELECT count(*) >= 3 FROM trades WHERE status = 'EXECUTED'";

fn buy_once() -> Value {
    json!({ "accumulate": { "dca_amount_usd": 10, "dca_interval": "1h", "dip_buy_threshold_pct": 0 } })
}

fn buy_often() -> Value {
    json!({ "accumulate": { "dca_amount_usd": 10, "dca_interval": "2s", "dip_buy_threshold_pct": 0 } })
}

async fn start(world: &World, rules: Value) -> JobId {
    world
        .start(world.devnet.deployment().clanker, "CLAWDIA", rules)
        .await
}

/// The database as it is now, under another name.
async fn backup(world: &mut World) -> TestDb {
    world.db.pool.close().await;
    let (_, name) = world.db.url.rsplit_once('/').expect("an address");
    let name = name.split('?').next().expect("a name").to_owned();
    let named = |other: &str| world.db.url.replace(&format!("/{name}"), &format!("/{other}"));
    let mut connection = PgConnection::connect(&named("postgres"))
        .await
        .expect("the server answers");
    let create = format!("CREATE DATABASE {name}_older TEMPLATE {name}");
    sqlx::query(sqlx::AssertSqlSafe(create))
        .execute(&mut connection)
        .await
        .expect("a copy");
    let url = named(&format!("{name}_older"));
    world.db.pool = PgPool::connect(&world.db.url).await.expect("the database");
    TestDb {
        pool: PgPool::connect(&url).await.expect("the copy"),
        url,
    }
}

/// Runs our program until `sql` holds.
async fn live_until(world: &World, what: &str, sql: &'static str) {
    let mut daemon = world.daemon(None);
    world.until(what, sql).await;
    daemon.kill().await.expect("killed");
}

async fn until_final(ledger: &PgPool) {
    let begun = std::time::Instant::now();
    loop {
        let all: Option<bool> = sqlx::query_scalar(ALL_FINAL)
            .fetch_one(ledger)
            .await
            .expect("an answer");
        if all == Some(true) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(90), "a trade stays open");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn nonce(world: &World) -> u64 {
    world.live.chain.nonces(WALLET).await.expect("nonces").latest
}

async fn status(world: &World, job: JobId) -> String {
    sqlx::query_scalar("SELECT status FROM jobs WHERE id = $1")
        .bind(job.0)
        .fetch_one(&world.db.pool)
        .await
        .expect("a status")
}

/// The wallet is halted and stays so; its owner resumes it; nothing is bought before the owner has said what the
/// tokens are that the wallet holds beyond the ledger.
async fn buys_nothing_again(world: &World, job: JobId) {
    let before = nonce(world).await;
    let mut daemon = world.daemon(None);
    world.until("the signer is halted", HALTED).await;
    world.ticks(3).await;
    assert_eq!(nonce(world).await, before, "{}", world.story().await);
    let (code, doctor) = world.run(&["doctor"]).await;
    assert!(code == 6 && doctor.contains("reconcile"), "{doctor}");
    world
        .until(
            "every trade is final",
            "SELECT coalesce(bool_and(status NOT IN ('PENDING', 'SUBMITTED')), true) FROM trades",
        )
        .await;
    let (code, said) = world.run(&["reconcile", "--apply"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("PAUSED") && said.contains("--count-in"),
        "it says what to do next: {said}"
    );
    assert_eq!(status(world, job).await, "PAUSED");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(nonce(world).await, before, "{}", world.story().await);
    daemon.kill().await.expect("killed");
}

/// The tokens are the job's: counted in, it buys no more than it was to buy.
async fn counts_in(world: &World, job: JobId, cost: &str) {
    let number = job.0.to_string();
    let (code, said) = world
        .run(&["reconcile", "--count-in", &number, "--cost", cost])
        .await;
    assert_eq!(code, 0, "{said}");
    let (code, again) = world
        .run(&["reconcile", "--count-in", &number, "--cost", cost])
        .await;
    assert!(code == 4 && again.contains("nothing to count in"), "{again}");
    let (code, said) = world.run(&["resume", "CLAWDIA"]).await;
    assert_eq!(code, 0, "{said}");
    let totals: bool =
        sqlx::query_scalar("SELECT bool_and(cost_basis = $1::numeric AND token_balance > 0) FROM jobs")
            .bind(cost.parse::<rust_decimal::Decimal>().expect("a number"))
            .fetch_one(&world.db.pool)
            .await
            .expect("a position");
    assert!(totals);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_from_before_the_first_trade_buys_nothing_again() {
    let mut world = World::new(BlockTime::OnTransaction).await;
    let job = start(&world, buy_once()).await;
    let older = backup(&mut world).await;
    live_until(&world, "a trade", ONE_BUY).await;
    world.db = older;
    buys_nothing_again(&world, job).await;
    counts_in(&world, job, "10").await;
    let before = nonce(&world).await;
    let mut daemon = world.daemon(None);
    world.ticks(3).await;
    daemon.kill().await.expect("killed");
    assert_eq!(nonce(&world).await, before, "the buy of this hour was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_from_after_the_first_trade_buys_nothing_again() {
    let mut world = World::new(BlockTime::OnTransaction).await;
    let job = start(&world, buy_often()).await;
    live_until(&world, "a trade", ONE_BUY).await;
    world.until("it is final", ALL_FINAL).await;
    let older = backup(&mut world).await;
    live_until(&world, "more trades", THREE_BUYS).await;
    world.db = older;
    buys_nothing_again(&world, job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_from_within_a_trade_whose_replacement_was_mined_buys_nothing_again() {
    let mut world = World::new(BlockTime::OnDemand).await;
    world.devnet.node.mine(1).await.expect("a block");
    let job = start(&world, buy_once()).await;
    let sent = "SELECT EXISTS (SELECT FROM attempts WHERE sent_at IS NOT NULL)";
    live_until(&world, "the swap waits", sent).await;
    let older = backup(&mut world).await;
    let known: i64 = sqlx::query_scalar("SELECT count(*) FROM attempts")
        .fetch_one(&older.pool)
        .await
        .expect("attempts");
    assert_eq!(known, 1, "the backup knows one attempt");
    let mut daemon = world.daemon(None);
    let replaced = "SELECT count(*) >= 2 FROM attempts WHERE sent_at IS NOT NULL";
    world.until("the swap is replaced", replaced).await;
    world.devnet.node.mine(1).await.expect("a block");
    world.until("it is bought", ONE_BUY).await;
    daemon.kill().await.expect("killed");
    world.db = older;
    buys_nothing_again(&world, job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_database_buys_nothing_with_a_wallet_that_has_a_past_until_it_is_adopted() {
    let mut world = World::new(BlockTime::OnTransaction).await;
    start(&world, buy_once()).await;
    live_until(&world, "a trade", ONE_BUY).await;
    let before = nonce(&world).await;
    world.db = testkit::db().await;
    let token = world.devnet.deployment().clanker.to_string();
    let start_live = [
        "start",
        &token,
        "--mode",
        "accumulate",
        "--live",
        "--chain",
        "local",
        "--set",
        "accumulate.dca_amount_usd=10",
        "--set",
        "limits.max_slippage_bps=300",
        "--set",
        "schedule.cron=* * * * * *",
    ];
    let (code, said) = world.run(&start_live).await;
    assert!(code == 4 && said.contains("reconcile --adopt"), "{code}: {said}");
    // As a version that did not ask left it: a job, and no count of its signer.
    let job = start(&world, buy_once()).await;
    sqlx::query("DELETE FROM signers")
        .execute(&world.db.pool)
        .await
        .expect("forgotten");
    let mut daemon = world.daemon(None);
    world.until("the signer is halted", HALTED).await;
    world.ticks(3).await;
    assert_eq!(nonce(&world).await, before, "{}", world.story().await);
    let wallet = WALLET.to_string();
    let adopt = ["reconcile", "--adopt", &wallet, "--chain", "local"];
    let (code, said) = world.run(&adopt).await;
    assert!(
        code == 4 && said.contains("--yes") && said.contains("1 transactions"),
        "{said}"
    );
    world.until("nothing was changed by looking", HALTED).await;
    let (code, said) = world.run(&[&adopt[..], &["--yes"]].concat()).await;
    assert!(code == 0 && said.contains("PAUSED"), "{said}");
    assert_eq!(status(&world, job).await, "PAUSED");
    let (code, again) = world.run(&[&adopt[..], &["--yes"]].concat()).await;
    assert!(code == 4 && again.contains("nothing to adopt"), "{again}");
    // What was refused, and looking, left no row.
    let recorded = world.audited("wallet_adopt").await;
    let [(actor, subject, detail)] = &recorded[..] else {
        panic!("one row of the audit: {recorded:?}")
    };
    assert!(
        actor.starts_with("cli:") && subject.contains(&wallet),
        "{actor} {subject}"
    );
    assert_eq!(detail["chain_nonce"], before, "{detail}");
    // The tokens are the owner's own: the job continues without them.
    let (code, said) = world.run(&["resume", "CLAWDIA"]).await;
    assert_eq!(code, 0, "{said}");
    world.until("it buys", ONE_BUY).await;
    daemon.kill().await.expect("killed");
    assert_eq!(nonce(&world).await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn start_names_tokens_that_no_job_has_bought() {
    let mut world = World::new(BlockTime::OnTransaction).await;
    start(&world, buy_once()).await;
    live_until(&world, "a trade", ONE_BUY).await;
    world.db = testkit::db().await;
    let wallet = WALLET.to_string();
    let (code, said) = world
        .run(&["reconcile", "--adopt", &wallet, "--chain", "local", "--yes"])
        .await;
    assert_eq!(code, 0, "{said}");
    let token = world.devnet.deployment().clanker.to_string();
    let start_live = [
        "start",
        &token,
        "--mode",
        "accumulate",
        "--live",
        "--chain",
        "local",
        "--set",
        "accumulate.dca_amount_usd=10",
        "--set",
        "limits.max_slippage_bps=300",
    ];
    let (code, said) = world.run(&start_live).await;
    assert!(
        code == 0 && said.contains("bought by no job") && said.contains("CLAWDIA"),
        "{code}: {said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_copies_that_run_side_by_side_one_stops_and_no_buy_is_lost_or_doubled() {
    let mut world = World::new(BlockTime::OnTransaction).await;
    start(&world, buy_often()).await;
    live_until(&world, "a trade", ONE_BUY).await;
    world.until("it is final", ALL_FINAL).await;
    let copy = backup(&mut world).await;
    let mut first = world.daemon(None);
    let mut second = world.daemon_with(&[("DATABASE_URL", &copy.url)]);
    let halted = async |pool: &PgPool| -> bool {
        sqlx::query_scalar(HALTED)
            .fetch_one(pool)
            .await
            .expect("an answer")
    };
    // While both sign the same bytes, there is one trade, in both ledgers. An edit sets them apart.
    tokio::time::sleep(Duration::from_secs(4)).await;
    sqlx::query(
        "UPDATE jobs SET config = jsonb_set(config, '{accumulate,dca_amount_usd}', to_jsonb('11'::text)),
             version = version + 1",
    )
    .execute(&copy.pool)
    .await
    .expect("edited");
    let begun = std::time::Instant::now();
    while !halted(&world.db.pool).await && !halted(&copy.pool).await {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{}",
            world.story().await
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    for job in [&world.db.pool, &copy.pool] {
        sqlx::query(
            "UPDATE jobs SET status = 'PAUSED', status_before_stop = 'RUNNING', version = version + 1",
        )
        .execute(job)
        .await
        .expect("paused");
    }
    for ledger in [&world.db.pool, &copy.pool] {
        until_final(ledger).await;
    }
    first.kill().await.expect("killed");
    second.kill().await.expect("killed");
    let bought = async |pool: &PgPool| -> Vec<Vec<u8>> {
        sqlx::query_scalar("SELECT tx_hash FROM trades WHERE status = 'EXECUTED'")
            .fetch_all(pool)
            .await
            .expect("hashes")
    };
    let mut hashes = [bought(&world.db.pool).await, bought(&copy.pool).await].concat();
    hashes.sort();
    hashes.dedup();
    assert_eq!(
        hashes.len() as u64,
        nonce(&world).await,
        "{}",
        world.story().await
    );
}

/// An empty database in the place of this world's, with a backup in it.
async fn restored_from(world: &mut World, file: &str) {
    let empty = testkit::empty_db().await;
    empty.pool.close().await;
    world.db.pool.close().await;
    world.db.url = empty.url;
    let (code, said) = world.run(&["restore", file]).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains(&WALLET.to_string().to_lowercase()) || said.contains(&WALLET.to_string()),
        "{said}"
    );
    world.db.pool = PgPool::connect(&world.db.url).await.expect("the database");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_ours_signs_nothing_until_it_is_reconciled_and_buys_nothing_again() {
    let mut world = World::new(BlockTime::OnTransaction).await;
    let job = start(&world, buy_often()).await;
    live_until(&world, "a trade", ONE_BUY).await;
    world.until("it is final", ALL_FINAL).await;
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("ledger.dump").display().to_string();
    let (code, said) = world.run(&["backup", &file]).await;
    assert_eq!(code, 0, "{said}");
    live_until(&world, "more trades", THREE_BUYS).await;
    restored_from(&mut world, &file).await;
    world.until("it is halted before anything runs", HALTED).await;
    buys_nothing_again(&world, job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_nothing_followed_goes_on_after_it_is_reconciled() {
    let mut world = World::new(BlockTime::OnTransaction).await;
    start(&world, buy_often()).await;
    live_until(&world, "a trade", ONE_BUY).await;
    world.until("it is final", ALL_FINAL).await;
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("ledger.dump").display().to_string();
    let (code, said) = world.run(&["backup", &file]).await;
    assert_eq!(code, 0, "{said}");
    let before = nonce(&world).await;
    restored_from(&mut world, &file).await;
    let mut daemon = world.daemon(None);
    world.ticks(3).await;
    assert_eq!(nonce(&world).await, before, "{}", world.story().await);
    let (code, said) = world.run(&["reconcile", "--apply"]).await;
    assert_eq!(code, 0, "{said}");
    world.until("it buys on", THREE_BUYS).await;
    daemon.kill().await.expect("killed");
}
