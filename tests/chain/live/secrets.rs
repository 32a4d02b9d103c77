//! Everything that is ever written, searched for what must not be in it.

use std::process::Stdio;

use lgi_mm::devnet::BlockTime;
use testkit::live::{KEY, World};
use tokio::process::Command;

use crate::live::{ALL_FINAL, buy_once, clanker};

const PASSWORD: &str = "correct horse battery staple";
const URL_KEY: &str = "a5ecre7keyinthepath";

/// Every text of every table.
async fn database(world: &World) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(&world.db.pool)
    .await
    .expect("tables");
    let mut all = String::new();
    for table in tables {
        let sql = format!("SELECT coalesce(string_agg(row_to_json(t)::text, ''), '') FROM {table} t");
        let rows: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(&world.db.pool)
            .await
            .expect("rows");
        all.push_str(&rows);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_password_or_url_with_a_key_is_written_anywhere_however_much_is_logged() {
    // The second node does not answer, and its address holds a key, as those of providers do.
    let world = World::with(BlockTime::OnTransaction, |mut keys| {
        keys.quorum = Some(1);
        keys.rpc_urls
            .insert(0, format!("http://127.0.0.1:9/{URL_KEY}?token={URL_KEY}"));
        keys
    })
    .await;
    clanker(&world, buy_once()).await;
    let dir = tempfile::tempdir().expect("a directory");
    let base = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
        command
            .args(args)
            .env("DATABASE_URL", &world.db.url)
            .env("LGI_MM_SETTINGS", world.settings())
            .env("LGI_MM__WALLET__KEYSTORE_DIR", dir.path().join("keys"))
            .env("LGI_MM_WALLET_PASSWORD", PASSWORD)
            .env("LGI_MM_POLICY", world.policy())
            .env("LGI_MM_POLICY_STATE", world.policy_state())
            .env("LGI_MM__METRICS__LISTEN", "off")
            .env("LGI_MM__TRADING__CHECK_INTERVAL", "50ms")
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    };
    let mut written = String::new();
    let mut take = |output: std::process::Output| {
        written.push_str(&String::from_utf8_lossy(&output.stdout));
        written.push_str(&String::from_utf8_lossy(&output.stderr));
    };
    take(
        base(&["wallet", "import"])
            .env("LGI_MM_UNSAFE_PRIVATE_KEY", KEY)
            .output()
            .await
            .expect("import"),
    );
    let log = std::fs::File::create(dir.path().join("daemon.log")).expect("a log");
    let mut daemon = base(&["daemon"]).stderr(log).spawn().expect("a daemon");
    world.until("it has bought", ALL_FINAL).await;
    for args in [
        &["doctor"][..],
        &["--json", "doctor"],
        &["status", "CLAWDIA"],
        &["--json", "trades"],
        &["config", "show", "CLAWDIA"],
        &["reconcile"],
        &["wallet", "list"],
    ] {
        take(base(args).output().await.expect("our own program runs"));
    }
    let wrong = base(&["doctor"])
        .env("LGI_MM_WALLET_PASSWORD", "wrong horse battery staple")
        .output()
        .await;
    take(wrong.expect("our own program runs"));
    daemon.kill().await.expect("killed");
    written.push_str(&std::fs::read_to_string(dir.path().join("daemon.log")).expect("the log"));
    written.push_str(&database(&world).await);
    assert!(
        written.contains("CLAWDIA") && written.len() > 10_000,
        "there is something to search"
    );
    holds_no_secret(&written);
}

fn holds_no_secret(written: &str) {
    let lower = written.to_ascii_lowercase();
    for (what, secret) in [("key", KEY), ("password", "horse battery"), ("URL", URL_KEY)] {
        if let Some(at) = lower.find(secret) {
            let around = written.get(at.saturating_sub(300)..(at + 60).min(written.len()));
            panic!("the {what} was written: ..{}", around.unwrap_or_default());
        }
    }
}
