//! One wallet, several jobs: nonces in a row, money spent once, and every kind of quote.

use alloy_primitives::{Address, U256, keccak256};
use lgi_mm::{
    devnet::BlockTime,
    domain::{onchain::Asset, span::Span, units::Amount},
    ports::Chain,
    store::orders::{self, Order},
};
use serde_json::json;
use testkit::live::{WALLET, World, coins};

use crate::live::{ALL_FINAL, buy_once, pause};

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_one_wallet_trade_in_one_block_without_a_gap() {
    let world = World::new(BlockTime::OnDemand).await;
    world.devnet.node.mine(1).await.expect("a block");
    let mut jobs = Vec::new();
    for (symbol, token) in &world.devnet.deployment().practice {
        jobs.push(world.start(*token, symbol, buy_once()).await);
    }
    let mut daemon = world.daemon(None);
    world
        .until(
            "all wait",
            "SELECT count(DISTINCT transaction_id) = 4 FROM attempts WHERE sent_at IS NOT NULL",
        )
        .await;
    world.devnet.node.mine(1).await.expect("a block");
    world.until("every trade is final", ALL_FINAL).await;
    for job in jobs {
        pause(&world, job).await;
    }
    daemon.kill().await.expect("killed");
    let blocks: i64 = sqlx::query_scalar("SELECT count(DISTINCT block_number) FROM fills")
        .fetch_one(&world.db.pool)
        .await
        .expect("a count");
    let nonces: Vec<i64> = sqlx::query_scalar("SELECT nonce FROM transactions ORDER BY nonce")
        .fetch_all(&world.db.pool)
        .await
        .expect("nonces");
    assert_eq!((blocks, nonces), (1, vec![0, 1, 2, 3]));
    assert_eq!(world.audit().await.swaps.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_jobs_never_spend_the_same_coins_and_the_reserve_stays() {
    let world = World::new(BlockTime::OnDemand).await;
    world.devnet.node.mine(1).await.expect("a block");
    // Enough for one of them, its gas, and a reserve of one coin.
    let before = coins(2) + coins(1) / U256::from(2);
    world
        .devnet
        .node
        .set_balance(WALLET, before)
        .await
        .expect("funded");
    let rules = json!({
        "accumulate": { "dca_amount_usd": 3_000, "dca_interval": "1h", "dip_buy_threshold_pct": 0, "max_accumulation_usd": 10_000 },
        "limits": { "max_price_impact_bps": 500, "max_slippage_bps": 500 },
    });
    let mut jobs = Vec::new();
    for (symbol, token) in world.devnet.deployment().practice.iter().take(2) {
        jobs.push(world.start(*token, symbol, rules.clone()).await);
    }
    let mut daemon = world.daemon_with(&[("LGI_MM__TRADING__PLAN_LIFETIME", "5s")]);
    world
        .until(
            "one waits",
            "SELECT EXISTS (SELECT FROM attempts WHERE sent_at IS NOT NULL)",
        )
        .await;
    world
        .until(
            "the other is refused by name",
            "SELECT EXISTS (SELECT FROM ticks WHERE reason IN ('insufficient_balance', 'insufficient_gas'))
                 OR EXISTS (SELECT FROM trades WHERE status IN ('PENDING', 'FAILED') AND error IS NOT NULL)",
        )
        .await;
    world.devnet.node.mine(1).await.expect("a block");
    world
        .until(
            "one is done",
            "SELECT EXISTS (SELECT FROM trades WHERE status = 'EXECUTED')",
        )
        .await;
    for job in jobs {
        pause(&world, job).await;
    }
    world.until("every trade is final", ALL_FINAL).await;
    daemon.kill().await.expect("killed");
    let held = world
        .live
        .chain
        .balances(WALLET, &[Asset::Native])
        .await
        .expect("a balance");
    assert!(held[0] >= Amount::new(coins(1)), "{held:?}");
    let executed: i64 = sqlx::query_scalar("SELECT count(*) FROM trades WHERE status = 'EXECUTED'")
        .fetch_one(&world.db.pool)
        .await
        .expect("a count");
    assert_eq!(executed, 1, "{}", world.story().await);
}

/// What fills moved of base and quote, buys positive, base units.
async fn moved(world: &World) -> (String, String) {
    sqlx::query_as(
        "SELECT coalesce(sum(base_amount * CASE side WHEN 'BUY' THEN 1 ELSE -1 END), 0)::text,
                coalesce(sum(quote_amount * CASE side WHEN 'BUY' THEN 1 ELSE -1 END), 0)::text FROM fills WHERE kind = 'fill'",
    )
    .fetch_one(&world.db.pool)
    .await
    .expect("sums")
}

async fn balance(world: &World, token: Address) -> Amount {
    let held = world.live.chain.balances(WALLET, &[Asset::Token(token)]).await;
    held.expect("a balance")[0]
}

/// What the wallet has for gas.
async fn native(world: &World) -> Amount {
    let held = world.live.chain.balances(WALLET, &[Asset::Native]).await;
    held.expect("a balance")[0]
}

/// What `spender` may still take from the wallet, as the token says.
async fn allowance(world: &World, token: Address, spender: Address) -> U256 {
    let selector = keccak256("allowance(address,address)");
    let data = [
        &selector[..4],
        WALLET.into_word().as_slice(),
        spender.into_word().as_slice(),
    ]
    .concat();
    let answer = world.devnet.node.call(token, &data.into()).await;
    U256::from_be_slice(&answer.expect("an answer"))
}

#[tokio::test(flavor = "multi_thread")]
async fn dollars_and_wrapped_coins_buy_and_sell_to_the_unit_and_leave_no_allowance() {
    for (symbol, decimals, whole) in [("USDC", 6, 5_000_u64), ("WETH", 18, 5)] {
        let world = World::new(BlockTime::OnTransaction).await;
        let deployed = world.devnet.deployment().clone();
        let quote = if symbol == "USDC" {
            deployed.usdc
        } else {
            deployed.weth
        };
        let before = U256::from(whole) * U256::from(10).pow(U256::from(decimals));
        if symbol == "USDC" {
            world.devnet.mint(quote, WALLET, before).await.expect("dollars");
        } else {
            world
                .devnet
                .give(quote, WALLET, before)
                .await
                .expect("wrapped coins");
        }
        let job = world
            .start_against((quote, symbol, decimals), deployed.token, "TT", buy_once())
            .await;
        let coins_before = native(&world).await;
        let mut daemon = world.daemon(None);
        world.until("it has bought", ALL_FINAL).await;
        let order = Order::Liquidate {
            over: Span::ZERO,
            slices: 1,
        };
        orders::order(&world.db.pool, job, order, "test")
            .await
            .expect("ordered");
        world
            .until("the job is idle", "SELECT bool_and(status = 'IDLE') FROM jobs")
            .await;
        daemon.kill().await.expect("killed");
        let (base, spent) = moved(&world).await;
        assert_eq!(base, "0", "{}", world.story().await);
        assert_eq!(balance(&world, deployed.token).await, Amount::ZERO);
        let spent: U256 = spent.parse().expect("buying and selling costs something");
        assert_eq!(
            balance(&world, quote).await,
            Amount::new(before - spent),
            "{symbol}"
        );
        // Every coin that is gone paid for gas that is on record, approves included.
        let paid: (String, i64) =
            sqlx::query_as("SELECT sum(gas_native)::text, count(*) FROM gas_paid WHERE success")
                .fetch_one(&world.db.pool)
                .await
                .expect("gas");
        let gone = coins_before.checked_sub(native(&world).await).expect("gas");
        assert_eq!(paid.0, gone.to_string(), "{symbol}");
        assert!(paid.1 > 2, "two swaps and their approves: {paid:?}");
        let contracts = &world.live.spec.contracts;
        for token in [deployed.token, quote] {
            for spender in [contracts.permit2, contracts.swap_router] {
                assert_eq!(
                    allowance(&world, token, spender).await,
                    U256::ZERO,
                    "{token} to {spender}"
                );
            }
        }
    }
}
