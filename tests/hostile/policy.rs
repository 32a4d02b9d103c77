//! A hostile writer of database rows, against the policy at the key.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use alloy_primitives::{Address, U256};
use lgi_mm::{
    chain::LocalSigner,
    devnet::{BlockTime, CHAIN_ID, DEPLOYER},
    domain::{
        config::JobConfig,
        job::JobMode,
        onchain::{Asset, Call, Fees, UnsignedTransaction},
        pool::NATIVE,
        units::{Price, Usd},
    },
    ports::{Chain, Signer},
};
use serde_json::json;
use testkit::live::{KEY, WALLET, World, coins};

/// A DCA buy of so much every second.
fn every_second(usd: u32) -> serde_json::Value {
    json!({ "accumulate": {
        "dca_amount_usd": usd, "dca_interval": "1s", "dip_buy_threshold_pct": 0, "max_accumulation_usd": 1_000_000,
    } })
}

fn usd(dollars: i64) -> Usd {
    Usd::new(dollars.into()).expect("dollars")
}

/// What the attacker wants to be bought.
struct Wanted {
    wallet: Address,
    token: Address,
    quote: Address,
    amount: U256,
}

/// As the attacker does it: a job, its slots and a plan, straight into the tables, past every check.
async fn plant(world: &World, wanted: &Wanted) -> i64 {
    let mut config = serde_json::to_value(JobConfig::for_mode(JobMode::Accumulate)).expect("JSON");
    config["price"]["sources"] = json!(["onchain"]);
    // The job's own floor is the attacker's to choose.
    config["limits"]["max_slip_from_quote_bps"] = json!(5_000);
    let lower = |address: Address| format!("{address:#x}");
    let job: i64 = sqlx::query_scalar(
        "INSERT INTO jobs (realm, chain, wallet, token_address, token_symbol, token_decimals, quote_address, quote_symbol,
             quote_decimals, mode, status, cycle, config, started_at)
         VALUES ('live', 'local', $1, $2, 'X', 18, $3, 'Q', $4, 'ACCUMULATE', 'RUNNING', 1, $5, now()) RETURNING id",
    )
    .bind(lower(wanted.wallet))
    .bind(lower(wanted.token))
    .bind(lower(wanted.quote))
    .bind(if wanted.quote == world.devnet.deployment().usdc { 6_i16 } else { 18 })
    .bind(config)
    .fetch_one(&world.db.pool)
    .await
    .expect("a job");
    sqlx::query("INSERT INTO job_slots (job_id, last_slot) VALUES ($1, now())")
        .bind(job)
        .execute(&world.db.pool)
        .await
        .expect("its slots");
    sqlx::query_scalar(
        "INSERT INTO trades (job_id, slot, cycle, side, reason, amount_in, amount_out_expected, amount_out_min, value_usd,
             config_version, expires_at, base_amount, quote_amount, price_usd, plan_price_usd, next_check_at)
         VALUES ($1, now(), 1, 'BUY', 'DCA', $2::numeric, 1, 1, 1, 1, now() + interval '20 seconds', 1, $2::numeric, 0.000000000001, 0.000000000001, now())
         RETURNING id",
    )
    .bind(job)
    .bind(wanted.amount.to_string())
    .fetch_one(&world.db.pool)
    .await
    .expect("a plan")
}

/// How many transactions the wallet has made.
async fn made(world: &World) -> u64 {
    world.live.chain.nonces(WALLET).await.expect("nonces").latest
}

async fn balance(world: &World, of: Address, asset: Asset) -> U256 {
    let told = world.live.chain.balances(of, &[asset]).await.expect("a balance");
    told[0].units()
}

async fn count(world: &World, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql)
        .fetch_one(&world.db.pool)
        .await
        .expect(sql)
}

/// Why the plan was not signed, as its row says.
async fn note(world: &World, trade: i64) -> String {
    let told: Option<String> = sqlx::query_scalar("SELECT note FROM trades WHERE id = $1")
        .bind(trade)
        .fetch_one(&world.db.pool)
        .await
        .expect("a trade");
    told.unwrap_or_default()
}

/// Waits until each plan's note names the part of the policy that refuses it.
async fn refused_for(world: &World, plans: &[(i64, &str)]) {
    let begun = std::time::Instant::now();
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < plans.len() {
        for (trade, part) in plans {
            if note(world, *trade).await.contains(part) {
                seen.insert(*trade);
            }
        }
        let late = begun.elapsed() > Duration::from_secs(60);
        assert!(
            !late,
            "only {seen:?} were refused as they should be\n{}",
            world.story().await
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Finding 1, `drain.sql`: ninety coins for one unit of the attacker's token, and its other forms.
#[tokio::test(flavor = "multi_thread")]
async fn finding_1_plans_written_into_the_database_are_not_signed() {
    let world = World::new(BlockTime::OnTransaction).await;
    let at = world.devnet.deployment().clone();
    world.devnet.fund(WALLET).await.expect("money");
    let tokens: Vec<Address> = at.practice.values().copied().collect();
    let mut entry = world.permitted();
    entry.tokens = vec![at.clanker, at.token, tokens[1]];
    entry.max_trade_usd = usd(1_000);
    entry.max_loss_bps = 1_000;
    world.permit(&entry);
    let usdc = at.usdc;
    let wanted = |token, quote, amount| Wanted {
        wallet: WALLET,
        token,
        quote,
        amount,
    };
    let plans = [
        // A token that nobody allowed, however little.
        (
            plant(&world, &wanted(tokens[0], NATIVE, U256::from(1_000))).await,
            "(policy: token)",
        ),
        // An allowed one, for nearly everything.
        (
            plant(&world, &wanted(at.clanker, NATIVE, coins(90))).await,
            "(policy: trade)",
        ),
        // The same through USDC.
        (
            plant(&world, &wanted(at.token, usdc, U256::from(2_000_000_000_u64))).await,
            "(policy: trade)",
        ),
        // Little enough, with a floor of one unit.
        (
            plant(
                &world,
                &wanted(tokens[1], NATIVE, U256::from(10).pow(U256::from(16))),
            )
            .await,
            "(policy: loss)",
        ),
    ];
    let before = (
        balance(&world, WALLET, Asset::Native).await,
        balance(&world, WALLET, Asset::Token(usdc)).await,
    );
    let mut daemon = world.daemon(None);
    refused_for(&world, &plans).await;
    world
        .until(
            "all plans expire",
            "SELECT count(*) = 4 FROM trades WHERE failure_kind = 'expired'",
        )
        .await;
    assert_eq!(
        count(&world, "SELECT count(*) FROM attempts").await,
        0,
        "nothing was signed"
    );
    assert_eq!(made(&world).await, 0);
    let after = (
        balance(&world, WALLET, Asset::Native).await,
        balance(&world, WALLET, Asset::Token(usdc)).await,
    );
    assert_eq!(before, after, "not a unit moved");
    // The same wallet trades on for a job of its owner.
    let own = tokens[2];
    world.start(own, "OWN", every_second(10)).await;
    world
        .until(
            "an honest buy",
            "SELECT EXISTS (SELECT FROM trades WHERE status = 'EXECUTED')",
        )
        .await;
    daemon.kill().await.expect("killed");
}

/// Finding 1: limits that a row holds are the job's; those of the policy hold whatever rows say, and whatever is gone.
#[tokio::test(flavor = "multi_thread")]
async fn finding_1_the_policys_day_is_counted_where_no_row_resets_it() {
    let world = World::new(BlockTime::OnTransaction).await;
    let mut entry = world.permitted();
    entry.max_day_usd = usd(25);
    world.permit(&entry);
    world
        .start(world.devnet.deployment().clanker, "CLAWDIA", every_second(10))
        .await;
    let mut daemon = world.daemon(None);
    let held = "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'policy_refused' AND detail LIKE '%max_day_usd is 25%')";
    world.until("the day is full", held).await;
    assert_eq!(made(&world).await, 2, "{}", world.story().await);
    // Everything that remembers the two buys is taken out of the tables.
    let mut forgetful = world.db.pool.acquire().await.expect("a connection");
    for sql in [
        "SET session_replication_role = replica",
        "DELETE FROM ticks",
        "DELETE FROM fills",
        "DELETE FROM attempts",
        "DELETE FROM transactions",
        "DELETE FROM trades",
        "UPDATE jobs SET config = jsonb_set(config, '{limits,max_daily_spend_usd}', '0'), token_balance = 0, cost_basis = 0,
             total_accumulated = 0, last_fills = '{}'",
        "SET session_replication_role = origin",
    ] {
        sqlx::query(sql).execute(&mut *forgetful).await.expect(sql);
    }
    drop(forgetful);
    world.until("it would buy again", held).await;
    assert_eq!(made(&world).await, 2, "{}", world.story().await);
    daemon.kill().await.expect("killed");
    let (code, shown) = world.run(&["policy", "show"]).await;
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("20 USD today"), "{shown}");
}

/// Finding 1: the same password opens every key of the directory; the policy names the wallets.
#[tokio::test(flavor = "multi_thread")]
async fn finding_1_a_row_cannot_choose_another_key() {
    let world = World::new(BlockTime::OnTransaction).await;
    let mut entry = world.permitted();
    // The owner allowed another wallet, not the one whose key this worker could open.
    let text = std::fs::read_to_string(world.policy()).expect("a policy");
    std::fs::remove_file(world.policy()).expect("gone");
    assert!(text.contains(&WALLET.to_checksum(None)));
    entry.wallet = Address::repeat_byte(0x51);
    entry.tokens = vec![world.devnet.deployment().clanker];
    world.permit(&entry);
    let wanted = Wanted {
        wallet: WALLET,
        token: world.devnet.deployment().clanker,
        quote: NATIVE,
        amount: U256::from(10).pow(U256::from(15)),
    };
    let trade = plant(&world, &wanted).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "it is refused",
            "SELECT EXISTS (SELECT FROM trades WHERE error LIKE '%(policy: wallet)%')",
        )
        .await;
    assert!(note(&world, trade).await.contains("no entry for wallet"));
    assert_eq!(count(&world, "SELECT count(*) FROM attempts").await, 0);
    daemon.kill().await.expect("killed");
}

/// Finding 4, `replay.sql`: an old transfer of the same key as the newest attempt of an open swap.
#[tokio::test(flavor = "multi_thread")]
async fn finding_4_what_the_key_signed_once_is_not_signed_again() {
    let world = World::new(BlockTime::OnTransaction).await;
    // The owner once sent a coin to somebody.
    let signer = LocalSigner::new(KEY.parse().expect("a key"), CHAIN_ID);
    let transfer = UnsignedTransaction {
        call: Call {
            value: coins(1),
            ..Call::cancel(DEPLOYER)
        },
        nonce: 0,
        fees: Fees {
            max_fee_per_gas: 10_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
        },
    };
    let old = signer.sign(&transfer).await.expect("signed");
    world.live.chain.send(&old.raw).await.expect("sent");
    world.devnet.node.mine(1).await.expect("mined");
    assert_eq!(made(&world).await, 1);
    // Now a swap is open, and is not mined for a while.
    let _: serde_json::Value = world
        .devnet
        .node
        .request("evm_setAutomine", json!([false]))
        .await
        .expect("no blocks");
    world
        .start(world.devnet.deployment().clanker, "CLAWDIA", every_second(10))
        .await;
    let wallet = WALLET.to_checksum(None);
    let (code, said) = world
        .run(&["reconcile", "--adopt", &wallet, "--chain", "local", "--yes"])
        .await;
    assert_eq!(code, 0, "{said}");
    let mut daemon = world.daemon(None);
    world
        .until(
            "a swap is out",
            "SELECT EXISTS (SELECT FROM attempts WHERE sends > 0)",
        )
        .await;
    let before = balance(&world, DEPLOYER, Asset::Native).await;
    // Under a name that no node knows, so that the row looks lost and is signed again for more gas.
    sqlx::query(
        "INSERT INTO attempts (transaction_id, purpose, hash, raw, max_fee_per_gas, max_priority_fee_per_gas, gas_limit)
         SELECT id, 'swap', $1, $2, 1, 1, 21000 FROM transactions ORDER BY nonce DESC LIMIT 1",
    )
    .bind([7_u8; 32].as_slice())
    .bind(old.raw.to_vec())
    .execute(&world.db.pool)
    .await
    .expect("the attacker's row");
    // Whichever wall is first: receipts are not looked for under such a name, and it is not signed again.
    world
        .until(
            "the row is not believed",
            "SELECT EXISTS (SELECT FROM trades WHERE error LIKE '%bytes on record%' OR error LIKE '%somebody changed them%')",
        )
        .await;
    // Longer than until a replacement.
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.devnet.node.mine(2).await.expect("mined");
    assert_eq!(
        count(&world, "SELECT count(*) FROM attempts").await,
        2,
        "ours and the attacker's, and none besides"
    );
    assert_eq!(
        balance(&world, DEPLOYER, Asset::Native).await,
        before,
        "not sent twice"
    );
    daemon.kill().await.expect("killed");
}

/// The kill switch, and changes of the file, count without a restart; so does that somebody else may write it.
#[tokio::test(flavor = "multi_thread")]
async fn the_kill_switch_stops_a_running_worker_and_lets_it_go_on() {
    let world = World::new(BlockTime::OnTransaction).await;
    world
        .start(world.devnet.deployment().clanker, "CLAWDIA", every_second(10))
        .await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "it buys",
            "SELECT EXISTS (SELECT FROM trades WHERE status = 'EXECUTED')",
        )
        .await;
    let (code, said) = world.run(&["policy", "stop"]).await;
    assert_eq!(code, 0, "{said}");
    let stopped =
        "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'policy_refused' AND detail LIKE '%policy resume%')
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
            "it is not obeyed",
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
    let held = "SELECT EXISTS (SELECT FROM ticks WHERE reason = 'policy_refused' AND detail LIKE '%lgi-mm policy allow%')";
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

/// Finding 17: settings that anybody could have put there are not obeyed, and which file was read is said.
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
        code == 2 && said.contains("no limit has a default"),
        "{code} {said}"
    );
}
