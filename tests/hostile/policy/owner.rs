//! What the owner of a policy can say, and what is refused without it.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use crate::policy::set_up::*;
use alloy_primitives::Address;
use lgi_mm::{
    devnet::BlockTime,
    domain::units::{Price, Usd},
};
use testkit::live::{WALLET, World};

/// The kill switch, and changes of the file, count without a restart; so does a change of who may write it.
#[tokio::test(flavor = "multi_thread")]
async fn the_kill_switch_stops_a_running_worker_and_lets_it_go_on() {
    let world = World::new(BlockTime::OnTransaction).await;
    world
        .start(world.devnet.deployment().clanker, "CLAWDIA", every_second(10))
        .await;
    // A plan that was made just before is over soon.
    let mut daemon = world.daemon_with(&[("LGI_MM__TRADING__PLAN_LIFETIME", "10s")]);
    world
        .until(
            "it buys",
            "SELECT EXISTS (SELECT FROM trades WHERE status = 'EXECUTED')",
        )
        .await;
    let (code, said) = world.run(&["policy", "stop"]).await;
    assert_eq!(code, 0, "{said}");
    let stopped =
        "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'policy_refused' AND detail LIKE '%the policy is stopped%')
        AND NOT EXISTS (SELECT FROM trades WHERE status IN ('PENDING', 'SUBMITTED'))";
    world.until("it is stopped", stopped).await;
    let stood_at = made(&world).await;
    world.ticks(3).await;
    assert_eq!(made(&world).await, stood_at, "{}", world.story().await);
    let (code, said) = world.run(&["policy", "resume"]).await;
    assert_eq!(code, 0, "{said}");
    let begun = std::time::Instant::now();
    while made(&world).await == stood_at {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{}",
            world.story().await
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // A file that others may write says nothing.
    std::fs::set_permissions(world.policy(), std::fs::Permissions::from_mode(0o666)).expect("own file");
    world
        .until(
            "is not used",
            "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'policy_refused' AND detail LIKE '%chmod go-w%')",
        )
        .await;
    let (code, said) = world.run(&["doctor"]).await;
    assert!(code == 6 && said.contains("chmod"), "{code} {said}");
    daemon.kill().await.expect("killed");
}

/// A worker without a policy signs nothing, says so, and says what to write; what is written that way is enough.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_nothing_is_signed_and_one_command_allows_a_job() {
    let world = World::new(BlockTime::OnTransaction).await;
    world
        .start(world.devnet.deployment().clanker, "CLAWDIA", every_second(10))
        .await;
    std::fs::remove_file(world.policy()).expect("gone");
    let mut daemon = world.daemon(None);
    let held = "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'policy_refused' AND detail LIKE '%this machine has no policy%')";
    world.until("it holds", held).await;
    assert_eq!(made(&world).await, 0);
    let (code, said) = world.run(&["policy", "check"]).await;
    assert!(
        code == 6 && said.contains("lgi-mm policy allow --chain local"),
        "{code} {said}"
    );
    let (code, said) = world.run(&["doctor"]).await;
    assert!(code == 6 && said.contains("no policy"), "{code} {said}");
    let (code, said) = world.run(&["policy", "allow", "CLAWDIA"]).await;
    assert!(code == 2 && said.contains("--yes"), "{code} {said}");
    assert!(!world.policy().exists());
    // The command that was printed, word for word.
    let (_, said) = world.run(&["policy", "check"]).await;
    let line = said
        .lines()
        .find(|line| line.contains("lgi-mm policy allow --chain"))
        .expect("a command");
    let words: Vec<&str> = line.split_whitespace().skip(1).chain(["--yes"]).collect();
    let (code, said) = world.run(&words).await;
    assert_eq!(code, 0, "{said}");
    let mode = std::fs::metadata(world.policy())
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let (code, said) = world.run(&["policy", "check"]).await;
    assert_eq!(code, 0, "{said}");
    // A command that had no database open is only logged; one for a job leaves a row, with what it wrote.
    assert!(world.audited("policy_allow").await.is_empty());
    let (code, said) = world.run(&["policy", "allow", "CLAWDIA", "--yes"]).await;
    assert_eq!(code, 0, "{said}");
    let recorded = world.audited("policy_allow").await;
    let [(actor, subject, detail)] = &recorded[..] else {
        panic!("one row of the audit: {recorded:?}")
    };
    let wallet = WALLET.to_string();
    assert!(
        actor.starts_with("cli:") && subject.contains(&wallet),
        "{actor} {subject}"
    );
    assert!(
        detail["file"] == world.policy().display().to_string() && detail["entry"]["chain"] == "local",
        "{detail}"
    );
    world
        .until(
            "it buys",
            "SELECT EXISTS (SELECT FROM trades WHERE status = 'EXECUTED')",
        )
        .await;
    daemon.kill().await.expect("killed");
}

/// Where what was signed cannot be written down, nothing is signed.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_counted_is_not_signed() {
    let world = World::new(BlockTime::OnTransaction).await;
    std::fs::create_dir(world.policy_state()).expect("a directory");
    std::fs::write(world.policy_state().join("signed.log"), "0000 {\"usd\":\"0\"}\n")
        .expect("a damaged file");
    world
        .start(world.devnet.deployment().clanker, "CLAWDIA", every_second(10))
        .await;
    let mut daemon = world.daemon(None);
    let held = "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'policy_refused' AND detail LIKE '%line 1 of signed.log%')";
    world.until("it holds", held).await;
    assert_eq!(made(&world).await, 0);
    daemon.kill().await.expect("killed");
}

/// Settings that any user could have put there are ignored, and the file that was read is named.
#[tokio::test(flavor = "multi_thread")]
async fn finding_17_settings_that_others_may_write_are_refused() {
    let world = World::new(BlockTime::OnTransaction).await;
    let (_, said) = world.run(&["doctor"]).await;
    assert!(said.contains("lgi-mm.toml"), "{said}");
    std::fs::set_permissions(world.settings(), std::fs::Permissions::from_mode(0o646)).expect("own file");
    let (code, said) = world.run(&["list"]).await;
    assert!(code == 2 && said.contains("chmod go-w"), "{code} {said}");
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("lgi-mm.toml"), "").expect("settings");
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).expect("own directory");
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .arg("list")
        .current_dir(dir.path())
        .env("DATABASE_URL", &world.db.url)
        .output()
        .expect("our own program");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(
        ran.status.code() == Some(2) && said.contains("has mode 0777"),
        "{said}"
    );
}

/// The command that allows is careful with what is there.
#[tokio::test(flavor = "multi_thread")]
async fn allowing_keeps_what_the_file_says_already() {
    let world = World::new(BlockTime::OnTransaction).await;
    let text = std::fs::read_to_string(world.policy()).expect("a policy");
    std::fs::write(
        world.policy(),
        text.replace(
            "max_day_usd",
            "# Never more than this, said my wife.\nmax_day_usd",
        ),
    )
    .expect("a comment");
    let token = Address::repeat_byte(0x77);
    let wallet = WALLET.to_checksum(None);
    let token_text = token.to_checksum(None);
    let args = [
        "policy",
        "allow",
        "--chain",
        "local",
        "--wallet",
        &wallet,
        "--token",
        &token_text,
        "--quote",
        "usdc",
        "--max-trade-usd",
        "12.5",
        "--yes",
    ];
    let (code, said) = world.run(&args).await;
    assert_eq!(code, 0, "{said}");
    let entry = world.permitted();
    assert!(entry.tokens.contains(&token));
    assert_eq!(
        entry.max_trade_usd,
        Usd::new("12.5".parse().expect("a number")).expect("dollars")
    );
    assert_eq!(entry.native_usd_min, Price::ONE);
    let text = std::fs::read_to_string(world.policy()).expect("a policy");
    assert!(text.contains("said my wife"), "{text}");
    let (code, said) = world
        .run(&[
            "policy",
            "allow",
            "--chain",
            "local",
            "--wallet",
            &token_text,
            "--yes",
        ])
        .await;
    assert!(
        code == 2 && said.contains("limits have no defaults"),
        "{code} {said}"
    );
}
