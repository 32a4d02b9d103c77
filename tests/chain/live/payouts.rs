//! What a repeated, a failed and a sweeping withdrawal do; and what the books say of them.

use alloy_primitives::{Address, U256};
use lgi_mm::{devnet::BlockTime, domain::onchain::Asset, ports::Chain};
use serde_json::Value;
use testkit::live::{WALLET, World, coins};

use crate::live::{ALL_FINAL, buy_once, clanker};

const OWNER: Address = alloy_primitives::address!("0x00000000000000000000000000000000C0FFEE02");

async fn held(world: &World, of: Address, asset: Asset) -> U256 {
    let held = world.live.chain.balances(of, &[asset]).await;
    held.expect("a balance")[0].units()
}

/// A world whose job has bought once, whose daemon is gone, and whose policy lets the owner take out.
async fn settled() -> World {
    let world = World::new(BlockTime::OnTransaction).await;
    clanker(&world, buy_once()).await;
    let mut daemon = world.daemon(None);
    world.until("every trade is final", ALL_FINAL).await;
    daemon.kill().await.expect("killed");
    let (wallet, to) = (WALLET.to_checksum(None), OWNER.to_checksum(None));
    let lower = to.to_lowercase();
    let mut allow = [
        "policy",
        "allow",
        "--chain",
        "local",
        "--wallet",
        &wallet,
        "--withdraw-to",
        &lower,
        "--yes",
    ];
    let (code, refused) = world.run(&allow).await;
    assert!(code == 2 && refused.contains("checksum"), "{code} {refused}");
    allow[7] = &to;
    let (code, allowed) = world.run(&allow).await;
    assert!(
        code == 0 && allowed.contains(&format!("withdrawals may pay {to}")),
        "{code} {allowed}"
    );
    world
}

async fn pays(world: &World, more: &[&str]) -> (i32, String) {
    let to = OWNER.to_checksum(None);
    let mut args = vec!["--json", "withdraw"];
    args.extend_from_slice(more);
    args.extend(["--to", to.as_str(), "--chain", "local", "--yes"]);
    world.run(&args).await
}

/// The number of the withdrawal that a command showed.
fn number(said: &str) -> Value {
    let object = said.find('{').expect("an object");
    let mut objects = serde_json::Deserializer::from_str(&said[object..]).into_iter::<Value>();
    let view = objects.next().expect("one").expect("JSON");
    view["withdrawal"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_withdrawal_with_a_key_pays_once_and_the_key_names_no_other_order() {
    let world = settled().await;
    for _ in 0..2 {
        let (code, paid) = pays(&world, &["ETH", "1.5", "--key", "july"]).await;
        assert!(code == 0 && paid.contains("EXECUTED"), "{code} {paid}");
        assert_eq!(number(&paid), 1);
        let all = held(&world, OWNER, Asset::Native).await;
        assert_eq!(all, coins(3) / U256::from(2));
    }
    for other in [["ETH", "1"], ["WETH", "1.5"], ["ETH", "--all"]] {
        let (code, refused) = pays(&world, &[other[0], other[1], "--key", "july"]).await;
        assert!(
            code == 4 && refused.contains("was ordered with the key july"),
            "{other:?}: {code} {refused}"
        );
    }
    // At once, on a busy machine: both show the one that was recorded.
    let august = ["ETH", "2", "--key", "august"];
    let ((one, first), (two, second)) = tokio::join!(pays(&world, &august), pays(&world, &august));
    assert_eq!((one, two), (0, 0), "{first}\n{second}");
    assert_eq!((number(&first), number(&second)), (2.into(), 2.into()));
    // Everything may be ordered twice as well, although nothing is left by then.
    world
        .devnet
        .mint(world.devnet.deployment().usdc, WALLET, U256::from(25_000_000))
        .await
        .expect("dollars");
    for _ in 0..2 {
        let (code, paid) = pays(&world, &["USDC", "--all", "--key", "all of it"]).await;
        assert!(code == 0 && number(&paid) == 3, "{code} {paid}");
    }
    let usdc = Asset::Token(world.devnet.deployment().usdc);
    assert_eq!(held(&world, OWNER, usdc).await, U256::from(25_000_000));
    assert_eq!(held(&world, OWNER, Asset::Native).await, coins(7) / U256::from(2));
    let wrong = "x".repeat(101);
    let (code, refused) = pays(&world, &["ETH", "1", "--key", &wrong]).await;
    assert!(code == 2 && refused.contains("--key"), "{code} {refused}");
    world.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_that_failed_ends_its_command_with_a_refusal() {
    let world = settled().await;
    let to = OWNER.to_checksum(None);
    let order = [
        "withdraw", "ETH", "2", "--key", "k", "--to", &to, "--chain", "local", "--yes",
    ];
    crate::live::withdrawals::dies(&world, "withdrawal_recorded", &order).await;
    // What it was to pay is gone by the time it is sent, and its day passes.
    world
        .devnet
        .node
        .set_balance(WALLET, coins(1))
        .await
        .expect("set");
    let later = "BEGIN; SET LOCAL session_replication_role = replica;
        UPDATE transactions SET deadline = now() - interval '1 minute' WHERE withdrawal_id = 1; COMMIT";
    let mut connection = world.db.pool.acquire().await.expect("a connection");
    sqlx::raw_sql(later)
        .execute(&mut *connection)
        .await
        .expect("a day later");
    let (code, said) = world.run(&order).await;
    assert!(
        code == 4 && said.contains("FAILED") && said.contains("withdrawal 1 failed and paid nothing"),
        "{code} {said}"
    );
    assert_eq!(held(&world, OWNER, Asset::Native).await, U256::ZERO);
    // The same command says the same, and signs nothing new.
    let (code, again) = world.run(&order).await;
    assert!(
        code == 4 && again.contains("withdrawal 1 failed"),
        "{code} {again}"
    );
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM withdrawals")
        .fetch_one(&world.db.pool)
        .await
        .expect("a count");
    assert_eq!(count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_takes_every_asset_that_no_job_holds_and_leaves_jobs_their_gas() {
    let world = settled().await;
    let at = world.devnet.deployment();
    let (usdc, clanker) = (Asset::Token(at.usdc), Asset::Token(at.clanker));
    world
        .devnet
        .mint(at.usdc, WALLET, U256::from(25_000_000))
        .await
        .expect("dollars");
    let bought = held(&world, WALLET, clanker).await;
    assert!(!bought.is_zero());
    let to = OWNER.to_checksum(None);
    let sweep = [
        "--json", "wallet", "sweep", "--to", &to, "--chain", "local", "--yes",
    ];
    let (code, asked) = world.run(&sweep[..7]).await;
    assert!(
        code == 4 && asked.contains("USDC") && asked.contains("ETH"),
        "{code} {asked}"
    );
    let (code, swept) = world.run(&sweep).await;
    assert!(
        code == 0 && swept.matches("EXECUTED").count() == 2,
        "{code} {swept}"
    );
    assert_eq!(held(&world, OWNER, usdc).await, U256::from(25_000_000));
    assert_eq!(held(&world, WALLET, usdc).await, U256::ZERO);
    // The job's tokens stay, and the gas of its next trades.
    assert_eq!(held(&world, WALLET, clanker).await, bought);
    assert_eq!(held(&world, OWNER, clanker).await, U256::ZERO);
    let left = held(&world, WALLET, Asset::Native).await;
    let taken = held(&world, OWNER, Asset::Native).await;
    assert!(!left.is_zero() && left < coins(2), "{left}");
    assert!(taken > coins(97), "{taken}");
    let (code, again) = world.run(&sweep).await;
    assert!(code == 4, "nothing is free any more: {code} {again}");
    world.audit().await;
    let (code, agrees) = world.run(&["--json", "reconcile"]).await;
    assert!(code == 0 && agrees.contains("\"agree\": true"), "{agrees}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_wallets_says_what_is_held_what_is_free_and_how_long_it_lasts() {
    let world = settled().await;
    let (code, said) = world.run(&["--json", "wallet", "list"]).await;
    assert_eq!(code, 0, "{said}");
    let array = said.find("[\n").expect("an array");
    let mut read = serde_json::Deserializer::from_str(&said[array..]).into_iter::<Value>();
    let wallets = read.next().expect("one").expect("JSON");
    let wallet = &wallets[0];
    assert_eq!(wallet["address"], WALLET.to_checksum(None));
    assert_eq!(
        (&wallet["realm"], &wallet["keystore"]),
        (&"live".into(), &Value::Null)
    );
    let chain = &wallet["chains"][0];
    assert_eq!(
        (&chain["chain"], &chain["jobs"], &chain["problem"]),
        (&"local".into(), &1.into(), &Value::Null)
    );
    let asset = |symbol: &str| {
        let assets = chain["assets"].as_array().expect("assets");
        let found = assets.iter().find(|asset| asset["symbol"] == symbol);
        found.unwrap_or_else(|| panic!("{symbol} in {said}")).clone()
    };
    let number = |value: &Value| {
        let text = value.as_str().unwrap_or_else(|| panic!("{value} in {said}"));
        text.parse::<rust_decimal::Decimal>().expect("a number")
    };
    let token = asset("CLAWDIA");
    assert_eq!(token["held"], token["of_jobs"], "all of it is the job's");
    assert_eq!(number(&token["free"]), rust_decimal::Decimal::ZERO);
    assert!(number(&token["held"]) > rust_decimal::Decimal::ZERO);
    let native = asset("ETH");
    let held = held(&world, WALLET, Asset::Native).await;
    let shown = alloy_primitives::utils::parse_ether(native["held"].as_str().expect("held")).expect("wei");
    assert_eq!(shown, held);
    assert!(
        number(&native["free"]) < number(&native["held"]),
        "gas of the job is kept"
    );
    // 100 ETH less what is left was spent in less than a day, and counts for one.
    let spent = rust_decimal::Decimal::from(100) - number(&native["held"]);
    assert_eq!(number(&native["spent_a_day"]), spent);
    let days = number(&native["held"]) / spent;
    let lasts = native["lasts_seconds"].as_u64().expect("a time");
    assert!(
        (rust_decimal::Decimal::from(lasts) - days * rust_decimal::Decimal::from(86_400)).abs()
            < rust_decimal::Decimal::TWO
    );
    let (code, text) = world.run(&["wallet", "list"]).await;
    assert!(
        code == 0 && text.contains("LIVE 0x") && text.contains("1 job at work") && text.contains("CLAWDIA"),
        "{code} {text}"
    );
}
