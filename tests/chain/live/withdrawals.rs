//! Money that its owner takes out.

use alloy_primitives::{Address, U256};
use lgi_mm::{
    devnet::{BlockTime, DEPLOYER},
    domain::onchain::Asset,
    ports::Chain,
};
use testkit::live::{KEY, WALLET, World, coins};
use tokio::process::Command;

use crate::live::{ALL_FINAL, clanker};

const OWNER: Address = alloy_primitives::address!("0x00000000000000000000000000000000C0FFEE01");

async fn held(world: &World, asset: Asset) -> U256 {
    let held = world
        .live
        .chain
        .balances(OWNER, &[asset])
        .await
        .expect("a balance");
    held[0].units()
}

fn allow(world: &World) {
    let mut entry = world.permitted();
    entry.withdraw_to = vec![OWNER];
    world.permit(&entry);
}

/// Runs a withdrawal that dies at `failpoint`.
#[cfg(feature = "failpoints")]
pub async fn dies(world: &World, failpoint: &str, args: &[&str]) {
    let status = Command::new(testkit::lgi_mm())
        .args(args)
        .env("DATABASE_URL", &world.db.url)
        .env("LGI_MM_SETTINGS", world.settings())
        .env("LGI_MM_UNSAFE_PRIVATE_KEY", KEY)
        .env("LGI_MM_POLICY", world.policy())
        .env("LGI_MM_POLICY_STATE", world.policy_state())
        .env(lgi_mm::failpoint::VARIABLE, failpoint)
        .stdin(std::process::Stdio::null())
        .status()
        .await
        .expect("our own program runs");
    assert!(status.code().is_none(), "{failpoint}: {status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_job_holds_goes_where_the_policy_says_and_trading_goes_on() {
    let world = World::new(BlockTime::OnTransaction).await;
    let rules = serde_json::json!({ "accumulate": { "dca_amount_usd": 10, "dca_interval": "2s", "dip_buy_threshold_pct": 0 } });
    clanker(&world, rules).await;
    let mut daemon = world.daemon(None);
    let bought = "SELECT count(*) >= 1 FROM trades WHERE status = 'EXECUTED'";
    world.until("a first trade", bought).await;
    let to = OWNER.to_checksum(None);
    let eth = ["withdraw", "ETH", "1.5", "--to", &to, "--chain", "local", "--yes"];
    let (code, refused) = world.run(&eth).await;
    assert!(code == 4 && refused.contains("withdraw_to"), "{code} {refused}");
    allow(&world);
    let (code, asked) = world.run(&eth[..7]).await;
    assert!(
        code == 4 && asked.contains("--yes") && asked.contains("LIVE"),
        "{code} {asked}"
    );
    let (code, paid) = world.run(&eth).await;
    assert!(code == 0 && paid.contains("EXECUTED"), "{code} {paid}");
    assert_eq!(held(&world, Asset::Native).await, coins(3) / U256::from(2));
    let all = [
        "withdraw", "CLAWDIA", "--all", "--to", &to, "--chain", "local", "--yes",
    ];
    let (code, refused) = world.run(&all).await;
    // The next buy may be on its way.
    let said = ["jobs hold", "brings CLAWDIA"];
    assert!(
        code == 4 && said.iter().any(|said| refused.contains(said)),
        "{code} {refused}"
    );
    let lower = to.to_lowercase();
    let (code, refused) = world
        .run(&[
            "withdraw", "ETH", "1", "--to", &lower, "--chain", "local", "--yes",
        ])
        .await;
    assert!(code == 2 && refused.contains("checksum"), "{code} {refused}");
    // Trading continues with the nonces behind it.
    let more = "SELECT count(*) >= 2 FROM trades WHERE status = 'EXECUTED' AND created_at > (SELECT max(executed_at) FROM withdrawals)";
    world.until("more trades", more).await;
    world
        .until(
            "the signer is not halted",
            "SELECT bool_and(halted_at IS NULL) FROM signers",
        )
        .await;
    crate::live::pause(&world, lgi_mm::domain::job::JobId(1)).await;
    world.until("every trade is final", ALL_FINAL).await;
    daemon.kill().await.expect("killed");
    let (code, agrees) = world.run(&["--json", "reconcile"]).await;
    assert!(
        code == 0 && agrees.contains("\"agree\": true") || agrees.contains("\"agree\":true"),
        "{agrees}"
    );
    let audited = world.audited("withdraw").await;
    assert!(
        audited.iter().all(|(actor, ..)| actor.starts_with("cli:")) && !audited.is_empty(),
        "{audited:?}"
    );
}

#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_in_a_withdrawal_it_pays_once_at_most_and_what_is_recorded_is_paid() {
    let world = World::new(BlockTime::OnTransaction).await;
    clanker(&world, crate::live::buy_once()).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "a trade",
            "SELECT count(*) >= 1 FROM trades WHERE status = 'EXECUTED'",
        )
        .await;
    daemon.kill().await.expect("killed");
    allow(&world);
    let to = OWNER.to_checksum(None);
    let eth = ["withdraw", "ETH", "2", "--to", &to, "--chain", "local", "--yes"];
    dies(&world, "withdrawal_signed", &eth).await;
    assert_eq!(held(&world, Asset::Native).await, U256::ZERO);
    dies(&world, "withdrawal_recorded", &eth).await;
    assert_eq!(held(&world, Asset::Native).await, U256::ZERO);
    let mut daemon = world.daemon(None);
    let paid = "SELECT count(*) = 1 AND bool_and(status = 'EXECUTED') FROM withdrawals";
    world.until("the recorded one is paid", paid).await;
    assert_eq!(held(&world, Asset::Native).await, coins(2));
    daemon.kill().await.expect("killed");
    dies(&world, "withdrawal_sent", &eth).await;
    let mut daemon = world.daemon(None);
    let both = "SELECT count(*) = 2 AND bool_and(status = 'EXECUTED') FROM withdrawals";
    world.until("both are paid", both).await;
    assert_eq!(held(&world, Asset::Native).await, coins(4));
    daemon.kill().await.expect("killed");
}

/// What a buy brought is its job's from the block on, not only once it is booked.
#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_trade_brought_that_is_not_booked_is_not_free() {
    let world = World::new(BlockTime::OnTransaction).await;
    clanker(&world, crate::live::buy_once()).await;
    let mut dying = world.daemon(Some("filling"));
    let status = dying.wait().await.expect("our own program ends");
    assert!(status.code().is_none(), "killed before it booked: {status}");
    world.devnet.node.mine(1).await.expect("a block");
    let open = "SELECT count(*) = 1 AND bool_and(status = 'SUBMITTED') FROM trades";
    world.until("it is not booked", open).await;
    allow(&world);
    let to = OWNER.to_checksum(None);
    let token = Asset::Token(world.devnet.deployment().clanker);
    let mut out = [
        "withdraw", "CLAWDIA", "--all", "--to", &to, "--chain", "local", "--yes",
    ];
    for amount in ["--all", "1"] {
        out[2] = amount;
        let (code, refused) = world.run(&out).await;
        assert!(
            code == 4 && refused.contains("trade 1 is open and brings CLAWDIA"),
            "{code} {refused}"
        );
        assert_eq!(held(&world, token).await, U256::ZERO);
    }
    // Booked, it is the job's, and coin was free all the time.
    let mut eth = out;
    eth[1..3].copy_from_slice(&["ETH", "1"]);
    let mut daemon = world.daemon(None);
    let (code, paid) = world.run(&eth).await;
    assert_eq!(code, 0, "{paid}");
    world.until("every trade is final", ALL_FINAL).await;
    let (code, refused) = world.run(&out).await;
    assert!(code == 4 && refused.contains("jobs hold"), "{code} {refused}");
    daemon.kill().await.expect("killed");
}

/// What was released may be taken out, and what is on its way out belongs to nobody any more.
#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn released_tokens_are_taken_out_or_adopted_again_and_none_of_them_twice() {
    let world = World::new(BlockTime::OnTransaction).await;
    clanker(&world, crate::live::buy_once()).await;
    let mut daemon = world.daemon(None);
    world.until("every trade is final", ALL_FINAL).await;
    world.devnet.node.mine(100).await.expect("blocks");
    let settled = "SELECT count(*) = 0 FROM fill_watches";
    world.until("no reorg can undo it", settled).await;
    daemon.kill().await.expect("killed");
    allow(&world);
    let token = Asset::Token(world.devnet.deployment().clanker);
    let (code, released) = world.run(&["release", "CLAWDIA", "5"]).await;
    assert_eq!(code, 0, "{released}");
    let to = OWNER.to_checksum(None);
    let two = [
        "withdraw", "CLAWDIA", "2", "--to", &to, "--chain", "local", "--yes",
    ];
    dies(&world, "withdrawal_recorded", &two).await;
    let (code, refused) = world.run(&["adopt", "CLAWDIA", "5", "--cost", "1"]).await;
    assert!(
        code == 4 && refused.contains("open transactions may take 2"),
        "{code} {refused}"
    );
    let (code, adopted) = world
        .run(&["--json", "adopt", "CLAWDIA", "all", "--cost", "1"])
        .await;
    assert!(
        code == 0 && adopted.contains("\"tokens\": \"3\""),
        "{code} {adopted}"
    );
    let mut daemon = world.daemon(None);
    let paid = "SELECT count(*) = 1 AND bool_and(status = 'EXECUTED') FROM withdrawals";
    world.until("it is paid", paid).await;
    assert_eq!(held(&world, token).await, coins(2));
    crate::live::pause(&world, lgi_mm::domain::job::JobId(1)).await;
    daemon.kill().await.expect("killed");
    let (code, agrees) = world.run(&["--json", "reconcile"]).await;
    assert!(code == 0 && agrees.contains("\"agree\": true"), "{agrees}");
}

/// A wallet whose code refuses coins is paid in WETH: what a job counts as coin is then no spare WETH.
#[tokio::test(flavor = "multi_thread")]
async fn coin_of_a_job_that_the_wallet_holds_as_weth_is_not_free() {
    let world = World::new(BlockTime::OnTransaction).await;
    let at = world.devnet.deployment();
    let (weth, token) = (at.weth, at.clanker);
    world.permit_token(token);
    allow(&world);
    let job = [
        "start",
        &token.to_string(),
        "--mode",
        "liquidity",
        "--budget",
        "2",
        "--live",
        "--chain",
        "local",
        "--set",
        "limits.max_slippage_bps=300",
        "--yes",
    ];
    let (code, said) = world.run(&job).await;
    assert_eq!(code, 0, "{said}");
    let node = &world.devnet.node;
    node.set_balance(WALLET, coins(1) / U256::from(2))
        .await
        .expect("set");
    let deposit = alloy_primitives::bytes!("d0e30db0");
    node.send(DEPLOYER, Some(weth), &deposit, coins(4))
        .await
        .expect("wrapped");
    world.devnet.give(weth, WALLET, coins(3)).await.expect("paid");
    let (code, said) = world.run(&["reconcile"]).await;
    assert!(code == 6 && said.contains("unwrap 1.5 WETH"), "{code} {said}");
    let to = OWNER.to_checksum(None);
    let take = async |amount: &str| {
        let weth = weth.to_checksum(None);
        let withdraw = [
            "withdraw", &weth, amount, "--to", &to, "--chain", "local", "--yes",
        ];
        world.run(&withdraw).await
    };
    // Of 3 WETH 1.5 are the coin that the job counts and the wallet has not.
    let (code, said) = take("1.6").await;
    assert!(code == 4 && said.contains("1.5 WETH is free"), "{code} {said}");
    let (code, said) = world.run(&["wallet", "list", "--json"]).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = take("1.5").await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(held(&world, Asset::Token(weth)).await, coins(3) / U256::from(2));
    let (code, said) = take("0.1").await;
    assert!(code == 4 && said.contains("0 WETH is free"), "{code} {said}");
}
