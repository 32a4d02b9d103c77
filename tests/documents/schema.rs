//! The database protects itself: each law is a constraint, and each constraint bites.

use sqlx::PgPool;

const JOB: &str = "INSERT INTO jobs (realm, chain, wallet, token_address, token_symbol, token_decimals, quote_address, quote_symbol,
        quote_decimals, mode, config) VALUES ('paper', 'base', '0x' || repeat('1', 40), '0x' || repeat('2', 40), 'T', 18,
        '0x' || repeat('3', 40), 'Q', 6, 'ACCUMULATE', '{}')";
const TRADE: &str = "INSERT INTO trades (job_id, slot, cycle, side, reason, status, amount_in, amount_out_expected, amount_out_min, value_usd,
        config_version, expires_at, base_amount, quote_amount, price_usd, plan_price_usd, next_check_at)
    VALUES (1, '2026-01-01', 1, 'BUY', 'DCA', 'PENDING', 1, 1, 1, 1, 1, now(), 1, 1, 1, 1, now())";
const SIGNER: &str = "INSERT INTO signers (realm, chain, address, next_nonce) VALUES ('paper', 'base', '0x' || repeat('1', 40), 1)";
const TRANSACTION: &str =
    "INSERT INTO transactions (trade_id, realm, chain, signer, nonce, purpose, deadline)
    VALUES (1, 'paper', 'base', '0x' || repeat('1', 40), 0, 'swap', now())";
const ATTEMPT: &str = "INSERT INTO attempts (transaction_id, purpose, hash, raw, max_fee_per_gas, max_priority_fee_per_gas, gas_limit)
    VALUES (1, 'swap', sha256('a'), 'raw', 1, 1, 1)";
const GAS: &str = "INSERT INTO gas_paid VALUES (1, 1, sha256('a'), true, 1, 1, now())";
const TICK: &str = "INSERT INTO ticks (job_id, outcome, reason, first_slot, last_slot) VALUES (1, 'hold', 'not_due', '2026-01-01', '2026-01-01')";

/// What is tried, and what refuses it.
const LAWS: &[(&str, &str, &str)] = &[
    ("one job a position", JOB, "jobs_one_per_position"),
    ("one trade a slot", TRADE, "trades_once_per_slot"),
    (
        "one open trade a job",
        "INSERT INTO trades OVERRIDING SYSTEM VALUE SELECT (t).* FROM (SELECT jsonb_populate_record(trades, '{\"slot\": \"2026-01-02\", \"id\": 77}') AS t FROM trades) x",
        "trades_one_open_per_job",
    ),
    (
        "one transaction a nonce",
        TRANSACTION,
        "transactions_one_per_nonce",
    ),
    ("one attempt a hash", ATTEMPT, "attempts_hash_once"),
    ("one decision a slot", TICK, "ticks_once_per_slot"),
    (
        "a position is permanent",
        "UPDATE jobs SET token_address = '0x' || repeat('9', 40)",
        "never change",
    ),
    (
        "a mode is permanent",
        "UPDATE jobs SET mode = 'LIQUIDITY'",
        "never change",
    ),
    (
        "a plan is frozen",
        "UPDATE trades SET amount_out_min = 2",
        "frozen",
    ),
    ("no trade is deleted", "DELETE FROM trades", "append-only"),
    ("no attempt is deleted", "DELETE FROM attempts", "append-only"),
    (
        "no gas is rewritten",
        "UPDATE gas_paid SET gas_usd = 0",
        "append-only",
    ),
    (
        "no bytes are changed",
        "UPDATE attempts SET raw = 'other'",
        "never change",
    ),
    (
        "no nonce is re-bound",
        "UPDATE transactions SET nonce = 5",
        "append-only",
    ),
    (
        "no nonce goes back",
        "UPDATE signers SET next_nonce = 0",
        "never goes back",
    ),
    (
        "a failure has a kind",
        "UPDATE trades SET status = 'FAILED', next_check_at = NULL",
        "trades_failure_has_kind",
    ),
    (
        "an execution has a proof",
        "UPDATE trades SET status = 'EXECUTED', next_check_at = NULL",
        "trades_executed_has_proof",
    ),
    (
        "an open trade is looked at",
        "UPDATE trades SET next_check_at = NULL",
        "trades_open_is_checked",
    ),
    (
        "no token is sold that is not there",
        "UPDATE jobs SET token_balance = -1",
        "token_amount",
    ),
    (
        "no cost without tokens",
        "UPDATE jobs SET cost_basis = 1",
        "jobs_no_cost_without_tokens",
    ),
    (
        "a paused job knows where it came from",
        "UPDATE jobs SET status = 'PAUSED'",
        "jobs_status_before_stop",
    ),
    (
        "a liquidation has a plan",
        "UPDATE jobs SET status = 'LIQUIDATING'",
        "jobs_liquidating_has_plan",
    ),
    (
        "only an idle job is archived",
        "UPDATE jobs SET archived_at = now(), status = 'RUNNING'",
        "jobs_archived_only_idle",
    ),
    (
        "a plan's price is frozen",
        "UPDATE trades SET plan_price_usd = 2",
        "frozen",
    ),
    (
        "an error is why a trade failed",
        "UPDATE trades SET error = 'no'",
        "trades_error_of_a_failure",
    ),
    (
        "only an open trade waits",
        "UPDATE trades SET status = 'FAILED', failure_kind = 'expired', next_check_at = NULL, note = 'later'",
        "trades_note_while_open",
    ),
    (
        "an answer is one that the program knows",
        "UPDATE attempts SET last_answer = 'ok', answer_kind = 'ok'",
        "attempts_answer_kind_check",
    ),
    (
        "an answer has a kind",
        "UPDATE attempts SET last_answer = 'ok'",
        "attempts_answer_has_kind",
    ),
    (
        "clocks of rules are one object",
        "UPDATE jobs SET last_fills = '[]'",
        "jobs_last_fills_check",
    ),
    (
        "a halt has a reason",
        "UPDATE signers SET halted_at = now()",
        "signers_halt_has_reason",
    ),
];

async fn filled() -> PgPool {
    let db = testkit::db().await;
    for sql in [JOB, TRADE, SIGNER, TRANSACTION, ATTEMPT, GAS, TICK] {
        sqlx::query(sql).execute(&db.pool).await.expect(sql);
    }
    db.pool
}

#[tokio::test]
async fn every_law_is_a_constraint_that_bites() {
    let pool = filled().await;
    for (law, sql, names) in LAWS {
        let error = sqlx::query(*sql).execute(&pool).await.expect_err(law).to_string();
        assert!(error.contains(names), "{law}: {error}");
    }
}

#[tokio::test]
async fn a_final_trade_stays_final() {
    let pool = filled().await;
    sqlx::query("UPDATE trades SET status = 'FAILED', failure_kind = 'expired', next_check_at = NULL")
        .execute(&pool)
        .await
        .expect("an end");
    let again = "UPDATE trades SET status = 'PENDING', failure_kind = NULL, next_check_at = now()";
    let error = sqlx::query(again)
        .execute(&pool)
        .await
        .expect_err("it is final")
        .to_string();
    assert!(error.contains("final"), "{error}");
}

/// An executed trade is opened again by its reversal, and by nothing else.
#[tokio::test]
async fn only_a_reversal_opens_a_trade_again() {
    const FILL: &str = "INSERT INTO fills (trade_id, job_id, cycle, kind, side, base_amount, quote_amount, quote_usd,
            quote_price_usd, quote_price_source, quote_price_at, gas_native, gas_usd, tx_hash, block_number, block_hash, filled_at)
        SELECT 1, 1, 1, kind, 'BUY', 1, 1, 1, 1, 'par', now(), 1, 1, sha256('a'), 1, sha256('b'), now() FROM unnest(ARRAY[$1]) AS kind";
    let pool = filled().await;
    let executed = "UPDATE trades SET status = 'EXECUTED', tx_hash = sha256('a'), executed_at = now(), next_check_at = NULL";
    sqlx::query(executed).execute(&pool).await.expect("an end");
    sqlx::query(FILL)
        .bind("fill")
        .execute(&pool)
        .await
        .expect("a fill");
    let again = "UPDATE trades SET status = 'SUBMITTED', reopened = true, next_check_at = now()";
    let error = sqlx::query(again)
        .execute(&pool)
        .await
        .expect_err("it is final")
        .to_string();
    assert!(error.contains("final"), "{error}");
    sqlx::query(FILL)
        .bind("reversal")
        .execute(&pool)
        .await
        .expect("a reversal");
    sqlx::query(again).execute(&pool).await.expect("open again");
}

/// A failed trade is opened again while it is watched, and never once it is final.
#[tokio::test]
async fn only_a_failure_that_is_still_watched_opens_a_trade_again() {
    let pool = filled().await;
    sqlx::query("UPDATE trades SET status = 'FAILED', failure_kind = 'reverted', next_check_at = NULL")
        .execute(&pool)
        .await
        .expect("an end");
    let again =
        "UPDATE trades SET status = 'SUBMITTED', failure_kind = NULL, reopened = true, next_check_at = now()";
    let error = sqlx::query(again)
        .execute(&pool)
        .await
        .expect_err("it is final")
        .to_string();
    assert!(error.contains("final"), "{error}");
    sqlx::query("INSERT INTO failure_watches (trade_id, block_number) VALUES (1, 1)")
        .execute(&pool)
        .await
        .expect("a watch");
    sqlx::query(again).execute(&pool).await.expect("open again");
}

#[tokio::test]
async fn every_timestamp_has_a_zone() {
    let pool = testkit::db().await.pool;
    let without: Vec<String> = sqlx::query_scalar(
        "SELECT table_schema || '.' || table_name || '.' || column_name FROM information_schema.columns
         WHERE table_schema IN ('public', 'paper') AND data_type = 'timestamp without time zone'",
    )
    .fetch_all(&pool)
    .await
    .expect("columns");
    assert!(without.is_empty(), "{without:?}");
}

/// Nothing was released before the migrations were squashed: such a database is refused, and left as it is.
#[tokio::test]
async fn a_database_of_an_unreleased_build_is_refused_with_advice() {
    use lgi_mm::store::MigrateError;
    let pool = testkit::db().await.pool;
    sqlx::query("UPDATE _sqlx_migrations SET checksum = 'other' WHERE version = 1")
        .execute(&pool)
        .await
        .expect("an old one");
    sqlx::query("INSERT INTO _sqlx_migrations SELECT 17, description, installed_on, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1")
        .execute(&pool)
        .await
        .expect("an old one");
    let refused = lgi_mm::store::migrate(&pool).await.expect_err("refused");
    assert!(matches!(refused, MigrateError::Unreleased), "{refused}");
    assert!(refused.to_string().contains("create a new database"), "{refused}");
    let refused = lgi_mm::store::schema_of(&pool).await.expect_err("refused");
    assert!(matches!(refused, MigrateError::Unreleased), "{refused}");
}

#[tokio::test]
async fn migrations_go_down_and_up_again() {
    let pool = testkit::db().await.pool;
    let migrator = sqlx::migrate!("./migrations");
    migrator.undo(&pool, 0).await.expect("down");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM information_schema.tables WHERE table_schema IN ('public', 'paper') AND table_name <> '_sqlx_migrations'")
        .fetch_one(&pool)
        .await
        .expect("tables");
    assert_eq!(left, 0, "tables are left after all migrations went down");
    lgi_mm::store::migrate(&pool).await.expect("up again");
}

/// `doctor` and the services compare a restored ledger with this list.
#[tokio::test]
async fn the_list_of_what_a_whole_ledger_has_is_what_the_migrations_make() {
    let db = testkit::db().await;
    let sql = include_str!("../../src/store/sql/ledger_structure.sql");
    let mut names: Vec<String> = sqlx::query_scalar(sql)
        .fetch_all(&db.pool)
        .await
        .expect("the catalog");
    names.sort();
    names.dedup();
    let list = names.join("\n") + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/sql/ledger_structure.txt");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &list).expect("written");
    }
    let written = std::fs::read_to_string(path).expect("a list");
    assert!(
        written == list,
        "regenerate it: UPDATE_DOCS=1 cargo test --features failpoints --test documents whole_ledger"
    );
}
