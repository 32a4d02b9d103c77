//! `backup` and `restore`: all of a ledger or nothing, into an empty database or nowhere.

mod interrupted;
mod released;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::terminal::{Ran, Terminal};

/// A terminal whose ledger has months of live and paper jobs behind it.
async fn ledger() -> Terminal {
    let terminal = Terminal::new().await;
    let mut connection = terminal.pool.acquire().await.expect("a connection");
    sqlx::raw_sql(include_str!("export/ledger.sql"))
        .execute(&mut *connection)
        .await
        .expect("the ledger");
    drop(connection);
    terminal
}

/// A terminal on a database without a table, and nobody else in it.
async fn elsewhere() -> Terminal {
    let terminal = Terminal::on(testkit::empty_db().await);
    terminal.pool.close().await;
    terminal
}

/// Number and checksum of the rows of each table, and each sequence's value. `columns` of `signers` that a restore
/// writes are left out, and so are rows of the logs that are newer than `last`.
async fn rows(pool: &PgPool, last: &BTreeMap<&'static str, i64>) -> BTreeMap<String, (i64, String)> {
    let tables: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_schema, table_name FROM information_schema.tables
         WHERE table_type = 'BASE TABLE' AND table_schema IN ('public', 'paper', 'apalis')",
    )
    .fetch_all(pool)
    .await
    .expect("tables");
    assert!(tables.len() > 35, "{} tables", tables.len());
    let mut found = BTreeMap::new();
    for (schema, table) in tables {
        let row = match table.as_str() {
            "signers" => "(realm, chain, address, next_nonce, settlements)",
            _ => "t",
        };
        let older = match last.get(table.as_str()) {
            Some(id) => format!("WHERE id <= {id}"),
            None => String::new(),
        };
        let sql = format!(
            "SELECT count(*), coalesce(md5(string_agg(({row})::text, '|' ORDER BY ({row})::text)), '') FROM {schema}.{table} t {older}"
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await;
        found.insert(format!("{schema}.{table}"), rows.expect("rows"));
    }
    let sequences: Vec<(String, Option<i64>)> = sqlx::query_as(
        "SELECT sequencename::text, last_value FROM pg_sequences WHERE sequencename NOT IN ('audit_id_seq', 'outbox_id_seq')",
    )
    .fetch_all(pool)
    .await
    .expect("sequences");
    assert!(sequences.len() > 5);
    for (name, value) in sequences {
        found.insert(name, (value.unwrap_or_default(), String::new()));
    }
    found
}

/// The last rows of the tables to which a restore adds.
async fn last(pool: &PgPool) -> BTreeMap<&'static str, i64> {
    let mut last = BTreeMap::new();
    for table in ["audit", "outbox"] {
        let sql = format!("SELECT coalesce(max(id), 0) FROM {table}");
        let id = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await;
        last.insert(table, id.expect("a number"));
    }
    last
}

fn made(terminal: &Terminal, name: &str) -> PathBuf {
    terminal.ok(&["backup", name]);
    terminal.path(name)
}

fn restore(terminal: &Terminal, file: &Path) -> Ran {
    terminal.run(&["restore", file.to_str().expect("text")])
}

async fn again(terminal: &Terminal) -> PgPool {
    let options = PgPoolOptions::new().max_connections(2);
    options.connect(&terminal.url).await.expect("the database")
}

async fn tables(terminal: &Terminal) -> i64 {
    let pool = again(terminal).await;
    let sql = "SELECT count(*) FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')";
    let count = sqlx::query_scalar(sql).fetch_one(&pool).await.expect("a number");
    pool.close().await;
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_ledger_is_the_ledger_row_by_row_and_its_live_wallets_are_halted() {
    let terminal = ledger().await;
    let file = made(&terminal, "ledger.dump");
    assert_eq!(
        fs::metadata(&file).expect("a file").permissions().mode() & 0o777,
        0o600
    );
    // The order of the backup is itself in the backup.
    let until = last(&terminal.pool).await;
    let before = rows(&terminal.pool, &until).await;
    assert!(before["public.trades"].0 > 5 && before["public.fills"].0 > 5 && before["public.audit"].0 == 1);
    for _ in 0..2 {
        let other = elsewhere().await;
        let ran = restore(&other, &file);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        for said in [
            "sign nothing until",
            "lgi-mm reconcile",
            "keystore: ",
            "policy: ",
            "Never start lgi-mm on the old",
        ] {
            assert!(ran.stdout.contains(said), "{said} is not in\n{}", ran.stdout);
        }
        let pool = again(&other).await;
        assert_eq!(rows(&pool, &until).await, before);
        let (live, halted, paper): (i64, i64, i64) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE realm = 'live'), count(*) FILTER (WHERE realm = 'live' AND halted_at IS NOT NULL),
                    count(*) FILTER (WHERE realm = 'paper' AND halted_at IS NOT NULL) FROM signers",
        )
        .fetch_one(&pool)
        .await
        .expect("signers");
        assert!(
            live > 0 && live == halted && paper == 0,
            "{live} {halted} {paper}"
        );
        let told: i64 =
            sqlx::query_scalar("SELECT count(*) FROM outbox WHERE event = 'signer.halted' AND id > $1")
                .bind(until["outbox"])
                .fetch_one(&pool)
                .await
                .expect("events");
        assert_eq!(told, live);
        let actions: Vec<String> = sqlx::query_scalar("SELECT action FROM audit ORDER BY id")
            .fetch_all(&pool)
            .await
            .expect("the audit");
        assert_eq!(actions, ["backup", "restore"]);
        pool.close().await;
        // Once more into the same database: it is not empty any more.
        let ran = restore(&other, &file);
        assert!(
            ran.code == 4 && ran.stderr.contains("not empty"),
            "{}",
            ran.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_holds_something_is_refused_and_stays_as_it_was() {
    let terminal = ledger().await;
    let file = made(&terminal, "ledger.dump");
    // Jobs.
    let other = Terminal::new().await;
    other.start(&[]);
    let until = last(&other.pool).await;
    let before = rows(&other.pool, &until).await;
    other.pool.close().await;
    let ran = restore(&other, &file);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    for said in [
        "jobs: 1",
        "CLAWD on base, paper, RUNNING",
        "create an empty database",
    ] {
        assert!(ran.stderr.contains(said), "{said} is not in {}", ran.stderr);
    }
    let pool = again(&other).await;
    assert_eq!(rows(&pool, &until).await, before);
    pool.close().await;
    // A table of another program.
    let other = elsewhere().await;
    let pool = again(&other).await;
    sqlx::raw_sql("CREATE SCHEMA shop; CREATE TABLE shop.orders (id int)")
        .execute(&pool)
        .await
        .expect("a table");
    pool.close().await;
    let ran = restore(&other, &file);
    assert!(
        ran.code == 4 && ran.stderr.contains("shop.orders"),
        "{}",
        ran.stderr
    );
    assert_eq!(tables(&other).await, 1);
    // A program that is connected.
    let other = elsewhere().await;
    let pool = again(&other).await;
    let ran = restore(&other, &file);
    assert!(
        ran.code == 4 && ran.stderr.contains("other programs use the database"),
        "{}",
        ran.stderr
    );
    pool.close().await;
    assert_eq!(tables(&other).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_in_which_nobody_gave_an_order_make_room() {
    let terminal = ledger().await;
    let file = made(&terminal, "ledger.dump");
    let until = last(&terminal.pool).await;
    let other = Terminal::new().await;
    other.ok(&["migrate"]);
    other.pool.close().await;
    let ran = restore(&other, &file);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let pool = again(&other).await;
    assert_eq!(rows(&pool, &until).await, rows(&terminal.pool, &until).await);
}

/// What another program keeps next to tables in which nobody gave an order stays.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_program_has_next_to_new_tables_is_named_and_not_removed() {
    let terminal = ledger().await;
    let file = made(&terminal, "ledger.dump");
    for (make, named, count) in [
        ("CREATE TABLE orders (id int)", "table public.orders", "orders"),
        (
            "CREATE VIEW watched AS SELECT id FROM jobs",
            "view public.watched",
            "watched",
        ),
        (
            "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 7'",
            "function public.mine",
            "mine()",
        ),
    ] {
        let other = Terminal::new().await;
        other.ok(&["migrate"]);
        sqlx::raw_sql(make).execute(&other.pool).await.expect("made");
        other.pool.close().await;
        let ran = restore(&other, &file);
        assert!(ran.code == 4 && ran.stderr.contains(named), "{}", ran.stderr);
        let pool = again(&other).await;
        let still = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {count}")));
        still.execute(&pool).await.expect("it is still there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_whole_backup_restores_nothing() {
    let terminal = ledger().await;
    let whole = fs::read(made(&terminal, "ledger.dump")).expect("a backup");
    let other = elsewhere().await;
    let refused = |name: &str, bytes: &[u8]| {
        let file = terminal.path(name);
        fs::write(&file, bytes).expect("a file");
        let ran = restore(&other, &file);
        assert_eq!(ran.code, 2, "{name}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(name), "{name}: {}", ran.stderr);
        ran.stderr
    };
    let length = whole.len();
    let mut cuts: Vec<usize> = (1..10).map(|tenth| length * tenth / 10).collect();
    cuts.extend([0, 3, 5, 40, length - 200, length - 1]);
    for cut in cuts {
        let said = refused("cut.dump", &whole[..cut]);
        assert!(
            said.contains("is not whole") || said.contains("is not a backup"),
            "{cut}: {said}"
        );
    }
    // The last bytes are rows, compressed with a checksum.
    let mut damaged = whole.clone();
    damaged[length - 60] ^= 0x10;
    assert!(refused("damaged.dump", &damaged).contains("is not whole"));
    assert!(refused("text.dump", b"CREATE TABLE jobs (id int);\n").contains("is not a backup"));
    let ran = restore(&other, &terminal.path("missing.dump"));
    assert!(
        ran.code == 2 && ran.stderr.contains("missing.dump"),
        "{}",
        ran.stderr
    );
    let ran = other.run(&["restore", "."]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    // Of another program, of a part of a ledger, of a newer version.
    let shop = elsewhere().await;
    let dump = |terminal: &Terminal, name: &str, more: &[&str]| {
        let file = format!("--file={name}");
        terminal.ok(&[&["db", "pg_dump", "--format=custom", &file], more].concat());
        fs::read(terminal.path(name)).expect("a dump")
    };
    shop.ok(&["db", "psql", "-qc", "CREATE TABLE orders (id int)"]);
    assert!(refused("shop.dump", &dump(&shop, "shop", &[])).contains("another program"));
    let part = dump(&terminal, "part", &["--exclude-table=fills"]);
    assert!(refused("part.dump", &part).contains("public.fills"));
    let rowless = dump(&terminal, "rowless", &["--exclude-table-data=fills"]);
    assert!(refused("rowless.dump", &rowless).contains("public.fills"));
    sqlx::query(
        "INSERT INTO _sqlx_migrations SELECT 9917, description, installed_on, success, checksum, execution_time
         FROM _sqlx_migrations WHERE version = 1",
    )
    .execute(&terminal.pool)
    .await
    .expect("a newer version");
    let newer = refused("newer.dump", &dump(&terminal, "newer", &[]));
    assert!(
        newer.contains("newer version of lgi-mm") && newer.contains("9917"),
        "{newer}"
    );
    assert_eq!(tables(&other).await, 0);
}
