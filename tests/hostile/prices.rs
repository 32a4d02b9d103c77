//! Lies about prices, decimals, gas and calldata; tokens that cannot be sold.

use std::sync::{Arc, Mutex};

use alloy_primitives::{Address, U256};
use lgi_mm::{
    chain::{ChainSpec, open_chains, price_witnesses},
    devnet::{BlockTime, NAME},
    domain::{
        Timestamp,
        config::{PriceConfig, SourceName},
        decision::HoldReason,
        onchain::{Checks, SwapRequest},
        pool::{NATIVE, Pool},
        price::{AcceptedPrice, accept, confirm},
        units::{Amount, Price},
    },
    ports::{Chain, PoolPrices, PriceRequest, Prices, QuoteError, Witnesses},
    prices::{DexscreenerSettings, PriceBook},
};
use serde_json::{Value, json};
use testkit::live::{WALLET, World, coins};

use crate::tokens::{Trick, play};
use testkit::liar::Liar;

/// A world whose only node is a liar, honest until told otherwise.
async fn lied_to(block_time: BlockTime) -> (World, Arc<Liar>) {
    let place: Arc<Mutex<Option<Arc<Liar>>>> = Arc::default();
    let put = place.clone();
    let world = World::with(block_time, move |mut keys| {
        let node = keys.rpc_urls.first().expect("a node").parse().expect("a URL");
        let liar = Arc::new(Liar::start(node));
        keys.rpc_urls = vec![liar.url()];
        *put.lock().expect("the place") = Some(liar);
        keys
    })
    .await;
    let liar = place.lock().expect("the place").clone().expect("a liar");
    (world, liar)
}

/// Buys ten dollars' worth at every slot.
fn buy_often() -> Value {
    json!({ "accumulate": { "dca_amount_usd": 10, "dca_interval": "1s", "dip_buy_threshold_pct": 0 } })
}

const BOUGHT: &str = "SELECT count(*) FILTER (WHERE status = 'EXECUTED') > 0 FROM trades";

/// The newest hold has this name.
async fn held(world: &World, reason: &str) -> String {
    let begun = std::time::Instant::now();
    loop {
        let last: Option<(Option<String>, Option<String>)> =
            sqlx::query_as("SELECT reason, detail FROM ticks ORDER BY id DESC LIMIT 1")
                .fetch_optional(&world.db.pool)
                .await
                .expect("ticks");
        if let Some((Some(seen), detail)) = last
            && seen == reason
        {
            return detail.unwrap_or_default();
        }
        assert!(
            begun.elapsed() < testkit::live::PATIENCE,
            "never held by {reason}\n{}",
            world.story().await
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn trades(world: &World) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM trades");
    count.fetch_one(&world.db.pool).await.expect("a count")
}

fn swap(token_in: Address, token_out: Address, amount_in: U256) -> SwapRequest {
    SwapRequest {
        wallet: WALLET,
        token_in,
        token_out,
        amount_in: Amount::new(amount_in),
        amount_out_fair: Amount::ZERO,
        pool: None,
        prove_sell: false,
        checks: Checks::none(),
    }
}

fn soon() -> Timestamp {
    chrono::Utc::now() + chrono::TimeDelta::hours(1)
}

fn tenth() -> U256 {
    coins(1) / U256::from(10)
}

fn of(value: U256, numerator: u64, denominator: u64) -> U256 {
    value * U256::from(numerator) / U256::from(denominator)
}

/// Finding 3 (a): a node says that the token is worth twenty times what it is, and is honest about everything else: the
/// floor would be a twentieth of the quote.
#[tokio::test(flavor = "multi_thread")]
async fn finding_3a_a_price_that_the_quote_contradicts_buys_nothing() {
    let (world, liar) = lied_to(BlockTime::OnTransaction).await;
    let at = world.devnet.deployment().clone();
    let token = *at.practice.get("DIPPER").expect("a token of one V3 pool");
    // Every square root of a price in an answer about the pool's state, times or by the root of twenty.
    let token_is_zero = token < at.weth;
    let factory = at.contracts["v3_factory"];
    let pool = v3_pool(&world, factory, token, at.weth).await;
    let slot0 = world
        .devnet
        .node
        .call(pool, &alloy_primitives::bytes!("3850c7bd"))
        .await
        .expect("slot0");
    let honest = U256::from_be_slice(&slot0[..32]);
    let factor = U256::from(4_472);
    let lied = if token_is_zero {
        honest * factor / U256::from(1_000)
    } else {
        honest * U256::from(1_000) / factor
    };
    let hex = |word: U256| alloy_primitives::hex::encode(word.to_be_bytes::<32>());
    let (honest, lied) = (hex(honest), hex(lied));
    liar.lie(move |method, _, answer| {
        if method == "eth_call"
            && let Some(text) = answer["result"].as_str()
        {
            answer["result"] = json!(text.replace(&honest, &lied));
        }
    });
    let mut rules = buy_often();
    // What was lied before is in the samples: without this the honest price is a jump that must last.
    rules["price"] = json!({ "max_price_move_pct": 0 });
    world.start(token, "DIPPER", rules).await;
    let _daemon = world.daemon(None);
    let detail = held(&world, "quote_disagrees").await;
    assert!(detail.contains("max_price_deviation_bps"), "{detail}");
    assert_eq!(trades(&world).await, 0, "{}", world.story().await);
    liar.repent();
    world.until("an honest node's price buys", BOUGHT).await;
}

async fn v3_pool(world: &World, factory: Address, one: Address, other: Address) -> Address {
    let word = |address: Address| address.into_word().0;
    let data = [
        alloy_primitives::hex!("1698ee82").as_slice(),
        &word(one),
        &word(other),
        &U256::from(3_000).to_be_bytes::<32>(),
    ]
    .concat();
    let answer = world
        .devnet
        .node
        .call(factory, &data.into())
        .await
        .expect("a pool");
    Address::from_slice(&answer[12..32])
}

async fn v2_pair(world: &World, factory: Address, one: Address, other: Address) -> Address {
    let word = |address: Address| address.into_word().0;
    let selector = alloy_primitives::hex!("e6a43905");
    let data = [selector.as_slice(), &word(one), &word(other)].concat();
    let answer = world
        .devnet
        .node
        .call(factory, &data.into())
        .await
        .expect("a pair");
    Address::from_slice(&answer[12..32])
}

/// Finding 3 (b): digits that were told wrong once, when the job began.
#[tokio::test(flavor = "multi_thread")]
async fn finding_3b_digits_that_were_a_lie_at_the_start_buy_nothing() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().clanker;
    let job = world.start(token, "CLAWDIA", buy_often()).await;
    sqlx::query("UPDATE jobs SET token_decimals = 6 WHERE id = $1")
        .bind(job.0)
        .execute(&world.db.pool)
        .await
        .expect("as if a node had lied");
    let _daemon = world.daemon(None);
    let detail = held(&world, "decimals_changed").await;
    assert!(detail.contains("18") && detail.contains('6'), "{detail}");
    assert_eq!(trades(&world).await, 0);
}

/// The same, and the contract changes its mind after the first buy.
#[tokio::test(flavor = "multi_thread")]
async fn finding_3b_a_contract_that_changes_its_digits_is_traded_no_more() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().clanker;
    world.start(token, "CLAWDIA", buy_often()).await;
    let _daemon = world.daemon(None);
    world.until("it buys", BOUGHT).await;
    play(&world.devnet, token, Trick::Decimals(6)).await;
    held(&world, "decimals_changed").await;
    let before = trades(&world).await;
    world.ticks(3).await;
    assert_eq!(trades(&world).await, before);
    play(&world.devnet, token, Trick::Honest).await;
    let more = "SELECT count(*) FILTER (WHERE status = 'EXECUTED') > 2 FROM trades";
    world.until("it goes on by itself", more).await;
    // The venue compares as well, whatever source the price is from.
    let mut buy = swap(NATIVE, token, tenth());
    buy.checks.decimals = Some((18, 6));
    let refused = world.live.venue.quote(&buy).await.expect_err("other digits");
    assert!(matches!(refused, QuoteError::DecimalsChanged(_)), "{refused}");
}

/// Finding 3 (d): the tax rises between the simulation and the block.
#[tokio::test(flavor = "multi_thread")]
async fn finding_3d_a_tax_that_rises_before_the_block_reverts_on_every_pool() {
    let world = World::new(BlockTime::OnTransaction).await;
    let at = world.devnet.deployment().clone();
    let v4 = format!("v4:{NATIVE:#x}/{:#x}/3000/60/{NATIVE:#x}", at.token);
    for pool in ["v2", "v3:10000", &v4] {
        play(&world.devnet, at.token, Trick::Honest).await;
        let pool: Pool = pool.parse().expect("a pool");
        let buy = SwapRequest {
            pool: Some(pool),
            checks: Checks {
                slip_max_bps: 30,
                ..Checks::none()
            },
            ..swap(NATIVE, at.token, tenth())
        };
        let quote = world.live.venue.quote(&buy).await.expect("a quote").amount_out;
        // A floor that is far away: what holds is the slip from what was simulated.
        let floor = Amount::new(of(quote.units(), 90, 100));
        let calls = world.live.venue.calls(&buy, floor, soon()).await.expect("calls");
        play(&world.devnet, at.token, Trick::TaxedBuy(2)).await;
        assert!(
            !sent(&world, &calls).await,
            "{pool}: 2 % less arrives, 0.3 % are allowed"
        );
        play(&world.devnet, at.token, Trick::Honest).await;
        assert!(
            sent(&world, &calls).await,
            "{pool}: the same bytes, without the tax"
        );
    }
}

/// Sends calls as the wallet; whether the last one worked.
async fn sent(world: &World, calls: &[lgi_mm::domain::onchain::Call]) -> bool {
    let node = &world.devnet.node;
    let _: Value = node
        .request("anvil_impersonateAccount", json!([WALLET]))
        .await
        .expect("anybody's key");
    let mut worked = false;
    for call in calls {
        let transaction = json!({
            "from": WALLET, "to": call.to, "data": call.data, "value": call.value,
            "gas": U256::from(call.gas_limit),
        });
        let hash: alloy_primitives::B256 = node
            .request("eth_sendTransaction", json!([transaction]))
            .await
            .expect("taken");
        let receipt = loop {
            let receipt: Value = node
                .request("eth_getTransactionReceipt", json!([hash]))
                .await
                .expect("an answer");
            if !receipt.is_null() {
                break receipt;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        };
        worked = receipt["status"] == "0x1";
    }
    worked
}

/// Finding 3 (c): the slack between the quote and the plan's floor is not there for whoever pushes the pool.
#[tokio::test(flavor = "multi_thread")]
async fn finding_3c_a_pool_that_is_pushed_after_the_simulation_reverts() {
    let world = World::new(BlockTime::OnTransaction).await;
    let at = world.devnet.deployment().clone();
    let buy = SwapRequest {
        pool: Some(at.clanker_pool),
        checks: Checks {
            slip_max_bps: 30,
            ..Checks::none()
        },
        ..swap(NATIVE, at.clanker, tenth())
    };
    let quote = world.live.venue.quote(&buy).await.expect("a quote").amount_out;
    let floor = Amount::new(of(quote.units(), 95, 100));
    let calls = world.live.venue.calls(&buy, floor, soon()).await.expect("calls");
    world.push(at.clanker, true, coins(1)).await;
    assert!(
        !sent(&world, &calls).await,
        "1 % dearer is within the floor, not within the slip"
    );
}

/// Finding 7: the node's clock is ten years ahead.
#[tokio::test(flavor = "multi_thread")]
async fn finding_7_a_clock_that_is_ahead_signs_nothing() {
    let (world, liar) = lied_to(BlockTime::OnTransaction).await;
    liar.lie(|method, _, answer| {
        if method == "eth_getBlockByNumber"
            && let Some(text) = answer["result"]["timestamp"].as_str()
        {
            let time = U256::from_str_radix(text.trim_start_matches("0x"), 16).expect("hex");
            answer["result"]["timestamp"] = json!(format!("{:#x}", time + U256::from(315_360_000_u64)));
        }
    });
    let token = world.devnet.deployment().clanker;
    world.start(token, "CLAWDIA", buy_often()).await;
    let _daemon = world.daemon(None);
    let detail = held(&world, "chain_clock").await;
    assert!(detail.contains("315"), "{detail}");
    assert_eq!(trades(&world).await, 0);
    liar.repent();
    world.until("an honest clock buys", BOUGHT).await;
    let most: bool =
        sqlx::query_scalar("SELECT bool_and(deadline < now() + interval '5 minutes') FROM transactions")
            .fetch_one(&world.db.pool)
            .await
            .expect("deadlines");
    assert!(most, "no deadline is far away");
}

/// Finding 9: a tip of 45 gwei, as the node wants it.
#[tokio::test(flavor = "multi_thread")]
async fn finding_9_a_tip_is_no_more_than_the_chain_usually_wants() {
    let (world, liar) = lied_to(BlockTime::OnTransaction).await;
    let honest = world.live.chain.fees().await.expect("fees");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    liar.lie(|method, _, answer| {
        if method == "eth_maxPriorityFeePerGas" {
            answer["result"] = json!(format!("{:#x}", 45_000_000_000_000_u64));
        }
    });
    let lied = world.live.chain.fees().await.expect("fees");
    // A chain of one's own: 10 gwei, or ten base fees.
    assert!(
        lied.max_priority_fee_per_gas <= 10_000_000_000,
        "{lied:?} {honest:?}"
    );
}

/// Finding 9: the price of the coin goes missing while a swap waits. Replacements stop at twice what was paid first.
#[tokio::test(flavor = "multi_thread")]
async fn finding_9_without_a_price_replacements_cost_no_more_than_twice_the_first() {
    let world = World::new(BlockTime::OnDemand).await;
    world.devnet.node.mine(1).await.expect("a block");
    let token = world.devnet.deployment().clanker;
    world
        .start(
            token,
            "CLAWDIA",
            json!({ "accumulate": { "dca_amount_usd": 10, "dca_interval": "1h", "dip_buy_threshold_pct": 0 } }),
        )
        .await;
    let _daemon = world.daemon(None);
    world
        .until(
            "the swap waits",
            "SELECT EXISTS (SELECT FROM attempts WHERE sent_at IS NOT NULL)",
        )
        .await;
    // The feed was updated long ago: its price counts no more.
    let feed = world.devnet.deployment().contracts["native_usd_feed"];
    let long_ago = alloy_primitives::B256::from(U256::from(1));
    let set = world.devnet.node.set_storage(feed, U256::from(1), long_ago);
    set.await.expect("stale");
    world
        .until(
            "it was replaced as often as may be",
            "SELECT count(*) >= 6 FROM attempts",
        )
        .await;
    world.looks(30).await;
    let (least, most): (String, String) =
        sqlx::query_as("SELECT min(max_fee_per_gas)::text, max(max_fee_per_gas)::text FROM attempts")
            .fetch_one(&world.db.pool)
            .await
            .expect("fees");
    let number = |text: &str| text.parse::<u128>().expect("wei");
    assert!(number(&most) > number(&least));
    assert!(number(&most) <= 2 * number(&least), "{least} {most}");
}

/// Finding 10: a trap that shuts after the first buy.
#[tokio::test(flavor = "multi_thread")]
async fn finding_10_a_token_that_shuts_after_the_first_buy_is_bought_no_more() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().trap;
    world.start(token, "TRAP", buy_often()).await;
    let _daemon = world.daemon(None);
    world.until("it buys while it is open", BOUGHT).await;
    world.devnet.shut_trap(true).await.expect("shut");
    held(&world, "unsellable").await;
    let before = trades(&world).await;
    world.ticks(3).await;
    assert_eq!(trades(&world).await, before, "{}", world.story().await);
    world.until("it is told once", TOLD).await;
    let (_, status) = world.run(&["status", "TRAP"]).await;
    assert!(
        status.contains("UNSELLABLE") && status.contains("reverts"),
        "{status}"
    );
    world.devnet.shut_trap(false).await.expect("open");
    let sql =
        "SELECT count(*) > 0 FROM trades WHERE status = 'EXECUTED' AND slot > now() - interval '2 seconds'";
    world.until("it goes on once it can be sold again", sql).await;
    let (_, status) = world.run(&["status", "TRAP"]).await;
    assert!(!status.contains("UNSELLABLE"), "{status}");
}

const TOLD: &str = "SELECT count(*) = 1 FROM outbox WHERE event = 'job.unsellable'";

/// Finding 10: what is held and not bought any more is tried once a day.
#[tokio::test(flavor = "multi_thread")]
async fn finding_10_a_held_position_that_became_unsellable_is_found_by_the_dry_sale_of_the_day() {
    let world = World::new(BlockTime::OnTransaction).await;
    let rules =
        json!({ "accumulate": { "dca_amount_usd": 10, "dca_interval": "1h", "dip_buy_threshold_pct": 0 } });
    world.start(world.devnet.deployment().trap, "TRAP", rules).await;
    let mut daemon = world.daemon(None);
    world.until("it buys while it is open", BOUGHT).await;
    held(&world, "not_due").await;
    daemon.kill().await.expect("stopped");
    world.devnet.shut_trap(true).await.expect("shut");
    let looked =
        "UPDATE sale_proofs SET looked_at = now() - interval '25 hours' WHERE unsellable_since IS NULL";
    let rows = sqlx::query(looked)
        .execute(&world.db.pool)
        .await
        .expect("a day later");
    assert_eq!(rows.rows_affected(), 1, "the buy was a proof");
    let _daemon = world.daemon(None);
    world.until("it is told", TOLD).await;
    let detail: String = sqlx::query_scalar("SELECT detail FROM sale_proofs")
        .fetch_one(&world.db.pool)
        .await
        .expect("why");
    assert!(detail.contains("reverts"), "{detail}");
    assert_eq!(trades(&world).await, 1);
}

/// Finding 10: a tax of 49 % on sales, which a rule of one half lets pass; and a token that lets only small amounts go.
#[tokio::test(flavor = "multi_thread")]
async fn finding_10_the_whole_position_must_come_back_less_the_pools_fee_and_some_slack() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().token;
    let v2: Pool = "v2".parse().expect("a pool");
    let buy = SwapRequest {
        pool: Some(v2),
        prove_sell: true,
        ..swap(NATIVE, token, tenth())
    };
    let quote = world.live.venue.quote(&buy).await.expect("an honest token");
    for percent in [49, 5] {
        play(&world.devnet, token, Trick::TaxedSale(percent)).await;
        let refused = world.live.venue.quote(&buy).await.expect_err("a tax");
        assert!(
            matches!(refused, QuoteError::Unsellable(_)) && refused.to_string().contains("360 are allowed"),
            "{refused}"
        );
    }
    // Whoever says that he accepts it may buy.
    let mut taxed = buy;
    taxed.checks.round_trip_loss_max_bps = 700;
    world
        .live
        .venue
        .quote(&taxed)
        .await
        .expect("5 % and fees are allowed");
    // What is held already counts: half of a large position is too much for the token.
    play(&world.devnet, token, Trick::Honest).await;
    let held = of(quote.amount_out.units(), 3, 1);
    world.devnet.give(token, WALLET, held).await.expect("held");
    play(&world.devnet, token, Trick::SmallSales(of(held, 1, 2))).await;
    world
        .live
        .venue
        .quote(&buy)
        .await
        .expect("nothing is held by the job");
    let mut more = buy;
    more.checks.held = Amount::new(held);
    let refused = world.live.venue.quote(&more).await.expect_err("too much to sell");
    assert!(refused.to_string().contains("alone can be sold"), "{refused}");
}

/// A position that is large for its pool is no trap: what the pool's own price explains of the loss is set apart.
#[tokio::test(flavor = "multi_thread")]
async fn the_price_impact_of_selling_all_is_no_proof_of_a_trap() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().token;
    for pool in ["v2", "v3:10000"] {
        let mut buy = SwapRequest {
            pool: Some(pool.parse().expect("a pool")),
            prove_sell: true,
            ..swap(NATIVE, token, tenth())
        };
        // A fifth of what the pool has.
        let held = coins(200_000_000);
        world.devnet.give(token, WALLET, held).await.expect("held");
        buy.checks.held = Amount::new(held);
        world.live.venue.quote(&buy).await.expect("the pool explains it");
        if pool == "v2" {
            play(&world.devnet, token, Trick::TaxedSale(10)).await;
            let refused = world.live.venue.quote(&buy).await.expect_err("and not this");
            assert!(matches!(refused, QuoteError::Unsellable(_)), "{refused}");
            play(&world.devnet, token, Trick::Honest).await;
        }
    }
}

/// A pool that quotes best and cannot be traded, or quotes what cannot be, does not stop a job.
#[tokio::test(flavor = "multi_thread")]
async fn the_best_offer_is_passed_over_if_it_is_broken_or_too_good() {
    let world = World::new(BlockTime::OnTransaction).await;
    let at = world.devnet.deployment().clone();
    let venue = &world.live.venue;
    let pinned = |pool: &str| SwapRequest {
        pool: Some(pool.parse().expect("a pool")),
        ..swap(NATIVE, at.token, tenth())
    };
    let fair = venue
        .quote(&pinned("v3:10000"))
        .await
        .expect("a quote")
        .amount_out;
    // Somebody dumps the token into V2: it is half the price there.
    let dump = SwapRequest {
        wallet: lgi_mm::devnet::DEPLOYER,
        ..swap(at.token, NATIVE, coins(400_000_000))
    };
    let dump = SwapRequest {
        pool: Some(Pool::V2),
        ..dump
    };
    let calls = venue
        .calls(&dump, Amount::new(U256::from(1)), soon())
        .await
        .expect("calls");
    for call in calls {
        world
            .devnet
            .node
            .send(lgi_mm::devnet::DEPLOYER, Some(call.to), &call.data, call.value)
            .await
            .expect("sent");
    }
    let best = venue.quote(&pinned("v2")).await.expect("a quote").amount_out;
    assert!(best.units() > of(fair.units(), 3, 2), "{best} {fair}");
    let mut buy = swap(NATIVE, at.token, tenth());
    buy.amount_out_fair = fair;
    buy.checks.better_max_bps = Some(200);
    buy.checks.worse_max_bps = Some(300);
    buy.checks.impact_max_bps = Some(300);
    buy.checks.slip_max_bps = 30;
    let found = venue.quote(&buy).await.expect("another pool").amount_out;
    assert!(
        found >= fair && found.units() < of(fair.units(), 102, 100),
        "{found} {fair}"
    );
    let calls = venue
        .calls(&buy, Amount::new(of(fair.units(), 97, 100)), soon())
        .await;
    assert!(sent(&world, &calls.expect("calls")).await);
    // The same pool at its old price, but on the token's black list: it quotes best and reverts.
    let pair = v2_pair(&world, at.contracts["v2_factory"], at.token, at.weth).await;
    play(&world.devnet, at.token, Trick::Blacklists(pair)).await;
    let open = SwapRequest {
        checks: Checks::none(),
        ..buy
    };
    let found = venue.quote(&open).await.expect("another pool").amount_out;
    assert!(found.units() < of(fair.units(), 102, 100), "{found} {fair}");
    play(&world.devnet, at.token, Trick::Honest).await;
    // With nowhere else to go the limits are told what is wrong.
    let only = SwapRequest {
        pool: Some(Pool::V2),
        ..buy
    };
    assert_eq!(venue.quote(&only).await.expect("a quote").amount_out, best);
    let refused = venue
        .calls(&only, Amount::new(of(fair.units(), 97, 100)), soon())
        .await;
    assert!(matches!(refused, Err(QuoteError::Disagrees(_))), "{refused:?}");
    assert_eq!(world.account.chain, NAME);
}

/// Finding 3: a first price that one node alone says. With real money two nodes must say it, asked apart.
#[tokio::test(flavor = "multi_thread")]
async fn finding_3_the_first_price_and_that_of_a_liquidation_need_a_second_node() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = *world.devnet.deployment().practice.get("DIPPER").expect("a token");
    let node: reqwest::Url = world.devnet.node.url().clone();
    let (honest, liar) = (Liar::start(node.clone()), Liar::start(node));
    let mut config = PriceConfig {
        sources: vec![SourceName::Onchain],
        ..PriceConfig::default()
    };
    let two = book(&world, vec![honest.url(), liar.url()]).await;
    let (accepted, now) = (price(&two, &config, token).await, chrono::Utc::now());
    let said = |witnesses| match witnesses {
        Witnesses::Said(said) => said,
        Witnesses::NotNeeded => panic!("base is real money"),
    };
    let agree = said(two.witnesses(&wish(&config, token)).await);
    assert_eq!(agree.len(), 2);
    confirm(&accepted, &agree, None, &config, now).expect("two nodes say the same");
    liar.lie(|method, _, answer| {
        if method == "eth_call" {
            answer["result"] = json!("0x");
        }
    });
    let down = said(two.witnesses(&wish(&config, token)).await);
    let refused = confirm(&accepted, &down, None, &config, now).expect_err("one is not enough");
    assert_eq!(refused.reason, HoldReason::CrossCheckMissing);
    let last = Some(accepted);
    confirm(&accepted, &down, last, &config, now)
        .expect("a sample of our own stands for a node that is down");
    let twice = AcceptedPrice {
        price: Price::new(accepted.price.decimal() + accepted.price.decimal()).expect("a price"),
        ..accepted
    };
    let refused = confirm(&twice, &agree, last, &config, now).expect_err("somebody lies");
    assert_eq!(refused.reason, HoldReason::PriceDeviation);
    let one = book(&world, vec![honest.url(), honest.url()]).await;
    let alone = said(one.witnesses(&wish(&config, token)).await);
    assert!(alone.is_empty(), "twice the same host is one node");
    let refused = confirm(&accepted, &alone, None, &config, now).expect_err("nobody confirms it");
    assert!(
        refused.detail.contains("price.single_source = true"),
        "{}",
        refused.detail
    );
    config.single_source = true;
    confirm(&accepted, &alone, None, &config, now).expect("its owner said so");
}

async fn book(world: &World, urls: Vec<String>) -> PriceBook {
    let mut keys = world.devnet.chain_file();
    keys.rpc_urls = urls;
    let spec = Arc::new(ChainSpec::resolve("base", &keys).expect("a chain"));
    let chains = open_chains(vec![spec], &world.db.pool).expect("chains");
    let prices = chains.iter().map(|(name, live)| {
        let prices: Arc<dyn PoolPrices> = live.prices.clone();
        (name.clone(), prices)
    });
    PriceBook::new(world.db.pool.clone(), DexscreenerSettings::default())
        .expect("a client")
        .with_chains(prices.collect())
        .with_witnesses(price_witnesses(&chains).expect("clients"))
}

fn wish(config: &PriceConfig, token: Address) -> PriceRequest<'_> {
    PriceRequest {
        chain: "base",
        token,
        quote: NATIVE,
        pool: None,
        decimals: Some(18),
        config,
    }
}

async fn price(book: &PriceBook, config: &PriceConfig, token: Address) -> AcceptedPrice {
    let now = chrono::Utc::now();
    let answers = book.answers(&[wish(config, token)], now).await.remove(0);
    accept(&answers, config, None, now).expect("a price")
}

/// The same at `start`: nobody is left with one node and one source without having said so.
#[tokio::test(flavor = "multi_thread")]
async fn finding_3_a_live_job_with_one_source_on_one_node_does_not_start_unless_its_owner_says_so() {
    let world = World::new(BlockTime::OnTransaction).await;
    let text = std::fs::read_to_string(world.settings()).expect("settings");
    let settings = world.settings().with_file_name("base.toml");
    std::fs::write(&settings, text.replace("chains.local", "chains.base")).expect("settings");
    let token = world.devnet.deployment().clanker.to_string();
    let start = |more: &'static str| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
        command
            .args([
                "start",
                &token,
                "--mode",
                "accumulate",
                "--live",
                "--chain",
                "base",
            ])
            .args(["--set", "price.sources=[\"onchain\"]", "--set", more])
            .env("DATABASE_URL", &world.db.url)
            .env("LGI_MM_SETTINGS", &settings)
            .env("LGI_MM_UNSAFE_PRIVATE_KEY", testkit::live::KEY)
            .stdin(std::process::Stdio::null());
        async move { command.output().await.expect("our own program runs") }
    };
    let refused = start("accumulate.dca_amount_usd=10").await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("price.single_source=true"),
        "{said}"
    );
    let started = start("price.single_source=true").await;
    assert!(
        started.status.success(),
        "{}",
        String::from_utf8_lossy(&started.stderr)
    );
}
