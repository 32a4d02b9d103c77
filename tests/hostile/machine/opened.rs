//! A key that does not open: its own jobs hold, by name, and nobody else notices.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use alloy_primitives::{Address, address};
use lgi_mm::{
    chain::keystore::{KeySource, SecretText},
    devnet::BlockTime,
};
use serde_json::json;

use super::{may_be_others, nobody, ran, shell};
use testkit::live::{WALLET, World};

/// Whose key is not there at first.
const BROKEN: Address = address!("0x00000000000000000000000000000000000b0b0b");

fn rules() -> serde_json::Value {
    json!({ "accumulate": { "dca_amount_usd": 10, "dca_interval": "1h", "dip_buy_threshold_pct": 0, "max_accumulation_usd": 10 } })
}

/// A keystore of `wallet` that looks like one and does not open.
fn break_key(dir: &Path, wallet: Address, what: &str) {
    let path = dir.join(format!("{wallet:#x}.json"));
    fs::write(&path, what).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("permissions");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_does_not_open_holds_its_own_jobs_and_nobody_elses() {
    let mut world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().clanker;
    let good = world.start(token, "CLAWDIA", rules()).await;
    let dir = tempfile::tempdir().expect("a directory");
    // A scrypt that took the program down: 2 TB.
    let file = json!({
        "address": format!("{BROKEN:x}"), "version": 3,
        "crypto": { "cipher": "aes-128-ctr", "cipherparams": { "iv": "83" }, "ciphertext": "d1", "kdf": "scrypt",
                    "kdfparams": { "dklen": 1, "n": 2_147_483_648_u64, "r": 8, "p": 1, "salt": "ab" }, "mac": "21" },
    });
    break_key(dir.path(), BROKEN, &file.to_string());
    world.account.wallet = BROKEN;
    let held = world.start(token, "CLAWDIA", rules()).await;
    world.account.wallet = WALLET;
    let keystore = dir.path().display().to_string();
    let mut daemon = world.daemon_with(&[
        ("LGI_MM__WALLET__KEYSTORE_DIR", keystore.as_str()),
        ("LGI_MM_WALLET_PASSWORD", "correct horse"),
    ]);
    world
        .until(
            "the good wallet's job has bought",
            "SELECT EXISTS (SELECT FROM trades WHERE status = 'EXECUTED')",
        )
        .await;
    world
        .until(
            "the other wallet's job holds by name",
            "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'key_unavailable')",
        )
        .await;
    let of: Vec<(i64, Option<String>)> =
        sqlx::query_as("SELECT DISTINCT job_id, detail FROM ticks WHERE reason = 'key_unavailable'")
            .fetch_all(&world.db.pool)
            .await
            .expect("ticks");
    for (job, detail) in &of {
        assert_eq!(*job, held.0, "the other is {}", good.0);
        let detail = detail.as_deref().unwrap_or_default();
        assert!(
            detail.contains("0b0b0b.json") && detail.contains("kdfparams"),
            "{detail}"
        );
    }
    assert!(
        daemon.try_wait().expect("a state").is_none(),
        "the service continues"
    );
    daemon.kill().await.expect("it runs");
    let (_, said) = world.run(&["wallet", "list"]).await;
    assert!(!said.contains("panicked"), "{said}");
}

/// A wrong password, an open file, a missing key, no password at all: each is reported by its own name, and no process
/// ends.
#[tokio::test(flavor = "multi_thread")]
async fn each_way_not_to_open_has_a_name_and_no_service_ends_of_it() {
    let mut world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().clanker;
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    let keys = KeySource {
        dir: dir.path().join("keys"),
        ..KeySource::default()
    };
    let made = keys
        .create_for_devnet(&SecretText::new("correct horse".to_owned()))
        .expect("a wallet");
    fs::set_permissions(dir.path().join("keys"), fs::Permissions::from_mode(0o755)).expect("permissions");
    world.account.wallet = made.address;
    world.start(token, "CLAWDIA", rules()).await;
    let keystore = keys.dir.display().to_string();
    let mode = |mode| fs::set_permissions(&made.path, fs::Permissions::from_mode(mode)).expect("permissions");
    for (password, mode_of_key, named) in [
        (Some("wrong horse"), 0o600, "wrong password"),
        (None, 0o600, "no password"),
        (Some("correct horse"), 0o644, "chmod 600"),
    ] {
        mode(mode_of_key);
        sqlx::query("DELETE FROM ticks")
            .execute(&world.db.pool)
            .await
            .expect("ticks");
        let mut variables = vec![("LGI_MM__WALLET__KEYSTORE_DIR", keystore.as_str())];
        variables.extend(password.map(|password| ("LGI_MM_WALLET_PASSWORD", password)));
        let mut daemon = world.daemon_with(&variables);
        world
            .until(
                "it holds",
                "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'key_unavailable')",
            )
            .await;
        let detail: Option<String> =
            sqlx::query_scalar("SELECT detail FROM ticks WHERE reason = 'key_unavailable' LIMIT 1")
                .fetch_one(&world.db.pool)
                .await
                .expect("a tick");
        let detail = detail.unwrap_or_default();
        assert!(
            detail.contains(named) && !detail.contains("horse"),
            "{named}: {detail}"
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(
            daemon.try_wait().expect("a state").is_none(),
            "{named}: the service continues"
        );
        daemon.kill().await.expect("it runs");
    }
}

/// What a process was given, and what it has in memory, is not for other processes of its user.
#[test]
fn another_process_of_the_same_user_cannot_read_passwords_or_keys() {
    if !may_be_others() {
        return;
    }
    let user = nobody();
    let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    // They may not be able to reach the place where this binary was built.
    fs::copy(env!("CARGO_BIN_EXE_lgi-mm"), dir.path().join("lgi-mm")).expect("a copy");
    // Nothing answers there, which is waited for.
    let mut waiting = shell(uid, gid, dir.path(), "exec ./lgi-mm scheduler")
        .env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
        .env("LGI_MM_WALLET_PASSWORD", "correct horse")
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("a shell");
    let place = format!("/proc/{}", waiting.id());
    let begun = std::time::Instant::now();
    loop {
        let looked = ran(shell(
            uid,
            gid,
            dir.path(),
            &format!("cat {place}/environ; ls {place}/fd"),
        ));
        let seen = String::from_utf8_lossy(&looked.stdout).into_owned();
        if !seen.contains("horse") && !looked.status.success() {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{seen}");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(waiting.try_wait().expect("a state").is_none(), "it runs");
    waiting.kill().expect("it runs");
    waiting.wait().expect("an end");
}
