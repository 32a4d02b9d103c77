//! Routes through pools of several versions of Uniswap: found, quoted, traded both ways in one transaction each, and
//! nothing of them stays in the router.

use std::sync::Arc;

use alloy_primitives::{Address, Bytes, U256};
use lgi_mm::{
    chain::{BestOf, ChainSpec, Rpc},
    devnet::NAME,
    domain::{
        onchain::SwapRequest,
        pool::{NATIVE, Pool, PoolKey},
        span::Span,
    },
    ports::Venue,
    store::pools,
};

use serde_json::{Value, json};

use crate::venue::world::{World, coins};

/// Which pool two tokens have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V2,
    V3,
    V4,
}
use Version::{V2, V3, V4};

/// The price of a coin in dollars that the pools of these tests have.
const COIN_USD: u64 = 3_000;

fn dollars(whole: u64) -> U256 {
    U256::from(whole) * U256::from(1_000_000)
}

/// A pool of 0.3 % with these stakes; where `coin`, a V4 pool holds the native coin instead of its wrapped form.
pub async fn pool(world: &World, version: Version, stakes: [(Address, U256); 2], coin: bool) {
    let (devnet, weth) = (&world.devnet, world.at().weth);
    match version {
        V2 => devnet.add_v2_pair(stakes).await.expect("a pair"),
        V3 => devnet.add_v3_pool(stakes, 3_000).await.expect("a pool"),
        V4 => {
            let held = |(token, stake)| (if coin && token == weth { NATIVE } else { token }, stake);
            let mut stakes = stakes.map(held);
            stakes.sort_unstable();
            let [(currency0, low), (currency1, high)] = stakes;
            let key = PoolKey {
                currency0,
                currency1,
                fee: 3_000,
                tick_spacing: 60,
                hooks: Address::ZERO,
            };
            devnet.add_v4_pool(&key, [low, high]).await.expect("a pool");
        }
    }
}

fn buy(world: &World, quote: Address, token: Address) -> SwapRequest {
    let amount = if quote == world.at().usdc {
        dollars(COIN_USD / 10)
    } else {
        coins(1) / U256::from(10)
    };
    SwapRequest {
        prove_sell: true,
        ..world.swap(quote, token, amount)
    }
}

/// The pool of the newest quote, as the ledger has it.
async fn known(world: &World, token: Address, quote: Address) -> Pool {
    let known = pools::find(&world.db.pool, NAME, (token, quote), Span::from_secs(600)).await;
    known.expect("an answer").expect("a pool")
}

/// Buys and sells all of it: what came each time is what was quoted, and neither wallet nor router keeps a thing on the
/// way. What came, and what came back.
async fn there_and_back(world: &World, request: &SwapRequest, between: &[Address]) -> (U256, U256) {
    let (quote, token) = (request.token_in, request.token_out);
    let router = world.spec.contracts.universal_router;
    let (quoted, came) = world.trade(request).await.expect("bought");
    assert_eq!(quoted, came);
    let (quoted, back) = world.trade(&world.swap(token, quote, came)).await.expect("sold");
    assert_eq!(quoted, back);
    assert_eq!(world.balance(token).await, U256::ZERO);
    for asset in between.iter().chain([&token, &world.at().weth]) {
        assert_eq!(
            world.held_by(router, *asset).await,
            U256::ZERO,
            "{asset} in the router"
        );
    }
    assert_eq!(
        world.held_by(router, NATIVE).await,
        U256::ZERO,
        "coins in the router"
    );
    for asset in between {
        assert_eq!(world.balance(*asset).await, U256::ZERO, "{asset} on the way");
    }
    let permit2 = world.spec.contracts.permit2;
    assert_eq!(world.allowance(token, permit2).await, U256::ZERO);
    assert_eq!(world.permitted(token).await, U256::ZERO);
    (came, back)
}

#[tokio::test]
async fn two_pools_of_any_versions_fill_what_they_quoted_both_ways() {
    let (world, [near, _]) = World::with_connectors().await;
    let (weth, stake) = (world.at().weth, coins(300_000));
    let tenth = coins(1) / U256::from(10);
    // The pools of the connector and the coin, as deep as a hundred coins, by version; the V4 one holds the coin
    // itself.
    for (far, coin) in [(V2, false), (V3, false), (V4, true)] {
        // Each deeper than the one before, so that it is the best one.
        let times = U256::from(match far {
            V2 => 1,
            V3 => 3,
            V4 => 9,
        });
        pool(
            &world,
            far,
            [(near, stake * times), (weth, coins(100) * times)],
            coin,
        )
        .await;
        for first in [V2, V3, V4] {
            let token = world.devnet.add_token("MIXED", 18).await.expect("a token");
            pool(&world, first, [(token, coins(1_000_000)), (near, stake)], false).await;
            let (came, back) = there_and_back(&world, &buy(&world, NATIVE, token), &[near]).await;
            let route = known(&world, token, NATIVE).await.to_string();
            let version = |version| match version {
                V2 => "v2",
                V3 => "v3:3000",
                V4 => "v4:",
            };
            assert!(route.starts_with(version(first)), "{first:?} {far:?}: {route}");
            assert!(
                route.contains(&format!("/{near:#x}/")),
                "{first:?} {far:?}: {route}"
            );
            // Two fees of 0.3 %, and a thousandth of the price in the first pool, at least.
            let whole = coins(1_000);
            assert!(
                came < whole * U256::from(994) / U256::from(1_000),
                "{route}: {came}"
            );
            assert!(
                came > whole * U256::from(991) / U256::from(1_000),
                "{route}: {came}"
            );
            assert!(
                back > tenth * U256::from(985) / U256::from(1_000),
                "{route}: {back}"
            );
        }
    }
}

#[tokio::test]
async fn three_pools_of_three_versions_are_traded_with_every_quote_and_can_be_pinned() {
    let (world, [near, far]) = World::with_connectors().await;
    let (weth, usdc) = (world.at().weth, world.at().usdc);
    world.wrap(coins(5)).await;
    let token = world.devnet.add_token("FARAWAY", 18).await.expect("a token");
    let six = dollars(300_000);
    pool(
        &world,
        V4,
        [(token, coins(1_000_000)), (near, coins(300_000))],
        false,
    )
    .await;
    pool(&world, V2, [(near, coins(300_000)), (far, six)], false).await;
    pool(&world, V3, [(far, six), (weth, coins(100))], false).await;
    pool(&world, V3, [(far, six), (usdc, six)], false).await;
    for quote in [NATIVE, weth, usdc] {
        let request = buy(&world, quote, token);
        let (_, back) = there_and_back(&world, &request, &[near, far]).await;
        let paid = request.amount_in.units();
        assert!(
            back > paid * U256::from(970) / U256::from(1_000),
            "{quote}: {back}"
        );
        let route = known(&world, token, quote).await;
        let text = route.to_string();
        assert!(text.starts_with("v4:"), "{text}");
        assert!(
            text.contains(&format!("/{near:#x}/v2/{far:#x}/v3:3000")),
            "{text}"
        );
        // The line that the ledger has pins it.
        let pinned = SwapRequest {
            pool: Some(World::pool(&text)),
            ..request
        };
        let (quoted, came) = world.trade(&pinned).await.expect("bought");
        assert_eq!(quoted, came);
        let sale = SwapRequest {
            pool: Some(route),
            ..world.swap(token, quote, came)
        };
        world.trade(&sale).await.expect("sold");
    }
}

/// A pool of the token that quotes best and whose pair the token refuses, and the good one.
#[tokio::test]
async fn a_dust_pool_on_the_way_neither_hides_a_good_route_nor_is_taken() {
    let (world, [near, _]) = World::with_connectors().await;
    let weth = world.at().weth;
    let token = world.devnet.add_token("DUSTY", 18).await.expect("a token");
    pool(
        &world,
        V4,
        [(token, coins(1_000_000)), (near, coins(300_000))],
        false,
    )
    .await;
    // Twice as many tokens for each unit, as long as there are any: a dollar's worth of them.
    pool(&world, V2, [(token, coins(6)), (near, coins(1))], false).await;
    pool(&world, V3, [(near, coins(300_000)), (weth, coins(100))], false).await;
    // Half the price between the connector and the coin, in dust again.
    pool(
        &world,
        V2,
        [(near, coins(6)), (weth, coins(1) / U256::from(1_000))],
        false,
    )
    .await;
    there_and_back(&world, &buy(&world, NATIVE, token), &[near]).await;
    let route = known(&world, token, NATIVE).await.to_string();
    assert!(route.starts_with("v4:") && route.ends_with("/v3:3000"), "{route}");
}

#[tokio::test]
async fn a_pool_of_v4_with_the_coin_is_reached_with_dollars_through_the_coin() {
    let world = World::new().await;
    let (weth, usdc) = (world.at().weth, world.at().usdc);
    for version in [V2, V4] {
        let token = world.devnet.add_token("DOLLARS", 18).await.expect("a token");
        pool(
            &world,
            version,
            [(token, coins(1_000_000)), (weth, coins(100))],
            true,
        )
        .await;
        let request = buy(&world, usdc, token);
        there_and_back(&world, &request, &[]).await;
        let route = known(&world, token, usdc).await.to_string();
        assert!(route.contains(&format!("/{weth:#x}/")), "{route}");
    }
}

/// The route of the calls of a buy, by a process that knows nothing yet, where gas costs so many gwei.
async fn goes_through(world: &World, token: Address, between: Address, gwei: u64) -> bool {
    let node = &world.devnet.node;
    let fee = U256::from(gwei) * U256::from(1_000_000_000);
    let set: Value = node
        .request("anvil_setNextBlockBaseFeePerGas", json!([fee]))
        .await
        .expect("a base fee");
    assert!(set.is_null(), "{set}");
    node.mine(1).await.expect("a block");
    let rpc = Rpc::new(&world.spec).expect("nodes");
    let venue = BestOf::new(rpc, world.spec.clone(), world.db.pool.clone());
    let request = buy(world, NATIVE, token);
    let quote = venue.quote(&request).await.expect("a quote");
    let calls = venue
        .calls(&request, quote.amount_out, crate::venue::world::soon())
        .await;
    let swap = calls.expect("calls").pop().expect("a swap");
    swap.data.windows(20).any(|part| part == between.as_slice())
}

#[tokio::test]
async fn a_route_that_brings_more_is_taken_only_while_its_gas_is_worth_it() {
    let (world, [near, _]) = World::with_connectors().await;
    let weth = world.at().weth;
    let token = world.devnet.add_token("NETTED", 18).await.expect("a token");
    pool(
        &world,
        V2,
        [(token, coins(1_000_000)), (near, coins(300_000))],
        false,
    )
    .await;
    pool(&world, V3, [(near, coins(300_000)), (weth, coins(100))], false).await;
    // The pool with the coin gives half a per cent less: of a tenth of a coin, five ten-thousandths.
    pool(&world, V3, [(token, coins(990_000)), (weth, coins(100))], false).await;
    // A second swap takes about 100,000 units: at a gwei a ten-thousandth of a coin, at twenty two thousandths.
    assert!(goes_through(&world, token, near, 1).await);
    assert!(!goes_through(&world, token, near, 20).await);
    assert!(
        goes_through(&world, token, near, 1).await,
        "and again when gas is cheap"
    );
}

#[tokio::test]
async fn a_route_that_brings_more_is_taken_only_while_its_data_is_worth_it() {
    let (mut world, [near, _]) = World::with_connectors().await;
    let (weth, oracle) = (world.at().weth, Address::repeat_byte(0x0e));
    let token = world.devnet.add_token("DATED", 18).await.expect("a token");
    let stakes = [(token, coins(1_000_000)), (near, coins(300_000))];
    pool(&world, V2, stakes, false).await;
    pool(&world, V3, [(near, coins(300_000)), (weth, coins(100))], false).await;
    // The pool with the coin gives half a per cent less: of a tenth of a coin, five ten-thousandths.
    pool(&world, V3, [(token, coins(990_000)), (weth, coins(100))], false).await;
    let mut keys = world.devnet.chain_file();
    keys.connectors = Some(vec![near]);
    keys.contracts.insert("gas_price_oracle".to_owned(), oracle);
    world.spec = Arc::new(ChainSpec::resolve(NAME, &keys).expect("a chain"));
    // A second swap takes some two hundred bytes more, of which half are zeros.
    for (gwei, longer) in [(1_u32, true), (30_000, false), (1, true)] {
        // The length of what is asked about, times so many gwei.
        let [_, high, middle, low] = gwei.to_be_bytes();
        let code = [
            0x60, 0x24, 0x35, 0x62, high, middle, low, 0x02, 0x63, 0x3b, 0x9a, 0xca, 0x00, 0x02, 0x5f, 0x52,
            0x60, 0x20, 0x5f, 0xf3,
        ];
        let code = Bytes::copy_from_slice(&code);
        world
            .devnet
            .node
            .set_code(oracle, &code)
            .await
            .expect("an oracle");
        let taken = goes_through(&world, token, near, 1).await;
        assert_eq!(taken, longer, "{gwei} gwei for a byte");
    }
}
