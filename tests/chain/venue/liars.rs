//! Pools whose makers chose their state: they are no price and hide no way.

use alloy_primitives::{Address, Bytes, U256};
use lgi_mm::{
    chain::{OnchainPrices, Rpc},
    domain::{
        config::SourceName,
        onchain::SwapRequest,
        pool::{NATIVE, PoolKey},
    },
    ports::{PoolPriceRequest, PoolPrices, Venue},
};
use rust_decimal::Decimal;

use crate::venue::{
    mixed::{Version, pool},
    world::{World, coins},
};

/// Its low bits say that it is called before swaps and returns what it takes and gives.
const HOOK: Address = Address::new([
    0x5e, 0x5e, 0x5e, 0x5e, 0x5e, 0x5e, 0x5e, 0x5e, 0x5e, 0x5e, 0x5e, 0x5e, 0x5e, 0x5e, 0x5e, 0x5e, 0x5e,
    0x5e, 0x00, 0x88,
]);

/// `amount * rate` where currency zero goes in and `amount / rate` the other way, of the amount on the stack.
fn linear(rate: u16) -> Vec<u8> {
    let [high, low] = rate.to_be_bytes();
    let less_one = [0x61, high, low, 0x60, 0x01, 0x90, 0x03, 0x60, 0xc4, 0x35];
    let mut code = less_one.to_vec();
    code.extend([0x02, 0x60, 0x01, 0x01, 0x02]); // * (1 + zeroForOne * (rate - 1))
    code.extend(less_one);
    code.extend([0x15, 0x02, 0x60, 0x01, 0x01, 0x90, 0x04]); // / (1 + (1 - zeroForOne) * (rate - 1))
    code
}

/// `amount << 50`, either way.
fn generous() -> Vec<u8> {
    vec![0x60, 50, 0x1b]
}

/// A hook that takes all that goes in and says that it gives what `out` makes of it. It pays nothing: a quoter does not
/// notice, and a swap reverts.
fn lying(out: Vec<u8>) -> Bytes {
    let mut code: Vec<u8> = vec![0x60, 0xe4, 0x35, 0x60, 0x00, 0x03, 0x80]; // 0 - amountSpecified, twice
    code.extend(out);
    // delta = amount << 128 | (0 - out) & (2^128 - 1)
    code.extend([0x60, 0x00, 0x03, 0x60, 0x80, 0x1b, 0x60, 0x80, 0x1c]);
    code.extend([0x90, 0x60, 0x80, 0x1b, 0x17, 0x60, 0x20, 0x52]);
    // the selector of the call, cut to its four bytes
    code.extend([
        0x60, 0x00, 0x35, 0x60, 0xe0, 0x1c, 0x60, 0xe0, 0x1b, 0x60, 0x00, 0x52,
    ]);
    code.extend([0x60, 0x60, 0x60, 0x00, 0xf3]);
    code.into()
}

/// From now on the hook says this.
async fn says(world: &World, out: Vec<u8>) {
    let node = &world.devnet.node;
    node.set_code(HOOK, &lying(out)).await.expect("a hook");
}

/// A pool of `other` and `token` whose hook lies, opened at the price of these stakes. Dust is enough: the hook lets
/// nothing of it be traded.
async fn hooked(world: &World, other: Address, token: Address, fee: u32, stakes: [U256; 2]) {
    let key = PoolKey {
        currency0: other.min(token),
        currency1: other.max(token),
        fee,
        tick_spacing: 60,
        hooks: HOOK,
    };
    let [one, two] = stakes;
    let stakes = if other < token { [one, two] } else { [two, one] };
    world.devnet.add_v4_pool(&key, stakes).await.expect("a pool");
}

/// Its settings name the hook, which says three per cent more than ten thousand.
async fn world_that_knows_the_hook() -> World {
    let world = World::with(|keys| {
        let hooks = keys.v4_hooks.get_or_insert_default();
        hooks.push(format!("{HOOK:#x}/3000/60"));
    })
    .await;
    says(&world, linear(10_300)).await;
    world
}

fn request(token: Address) -> PoolPriceRequest {
    PoolPriceRequest {
        token,
        quote: NATIVE,
        pool: None,
        decimals: None,
        source: SourceName::Onchain,
    }
}

async fn usd(world: &World, token: Address) -> Decimal {
    let prices = OnchainPrices::new(Rpc::new(&world.spec).expect("nodes"), world.spec.clone());
    let answer = prices.pool_prices(&[request(token)]).await.remove(0);
    answer.expect("a price").price_usd
}

/// Ten thousand tokens for a coin of 3000 dollars, in a pair.
async fn honest(world: &World) -> Address {
    let token = world.devnet.add_token("PRICED", 18).await.expect("a token");
    let stakes = [(token, coins(1_000_000)), (world.at().weth, coins(100))];
    pool(world, Version::V2, stakes, false).await;
    token
}

#[tokio::test]
async fn a_pool_whose_hook_quotes_otherwise_than_its_price_says_is_no_source_of_prices() {
    let world = world_that_knows_the_hook().await;
    let thousandth = coins(1) / U256::from(1_000);
    // Ten times the market, and a tenth of it.
    for tokens in [1_000_u64, 100_000] {
        let token = honest(&world).await;
        let stakes = [thousandth, thousandth * U256::from(tokens)];
        hooked(&world, NATIVE, token, 3_000, stakes).await;
        let seen = usd(&world, token).await;
        let off = (seen - Decimal::new(3, 1)).abs();
        assert!(off < Decimal::new(1, 3), "{tokens}: {seen} is not 0.3");
    }
}

/// Where nothing else trades the token, its price still explains a hold.
#[tokio::test]
async fn a_token_that_only_such_a_pool_trades_has_the_price_of_that_pool() {
    let world = world_that_knows_the_hook().await;
    let token = world.devnet.add_token("ALONE", 18).await.expect("a token");
    let thousandth = coins(1) / U256::from(1_000);
    let stakes = [thousandth, thousandth * U256::from(1_000)];
    hooked(&world, NATIVE, token, 3_000, stakes).await;
    let seen = usd(&world, token).await;
    assert!(
        (seen - Decimal::from(3)).abs() < Decimal::new(1, 2),
        "{seen} is not 3"
    );
}

/// A route of a pair and of a pool of V3, which gives 300 of the connector's worth.
async fn two_pools(world: &World, near: Address) -> (Address, SwapRequest) {
    let (weth, stake) = (world.at().weth, coins(300_000));
    let token = world.devnet.add_token("HIDDEN", 18).await.expect("a token");
    pool(
        world,
        Version::V2,
        [(token, coins(1_000_000)), (near, stake)],
        false,
    )
    .await;
    pool(world, Version::V3, [(near, stake), (weth, coins(100))], false).await;
    let buy = SwapRequest {
        prove_sell: true,
        ..world.swap(NATIVE, token, coins(1) / U256::from(10))
    };
    (token, buy)
}

/// Pools that give next to nothing, of the usual shapes and of others, with more liquidity by number.
async fn shallow(world: &World, [one, other]: [(Address, U256); 2], odd: u32) {
    let usual = [(100, 1), (500, 10), (3_000, 60), (10_000, 200)];
    let odd = (1..=odd).map(|fee| (fee, 60));
    for (fee, tick_spacing) in usual.into_iter().chain(odd) {
        let mut stakes = [one, other];
        stakes.sort_unstable();
        let [(currency0, low), (currency1, high)] = stakes;
        let key = PoolKey {
            currency0,
            currency1,
            fee,
            tick_spacing,
            hooks: Address::ZERO,
        };
        world.devnet.add_v4_pool(&key, [low, high]).await.expect("a pool");
    }
}

#[tokio::test]
async fn pools_with_more_liquidity_by_number_hide_no_route_that_trades() {
    let (world, [near, _]) = World::with_connectors().await;
    let (token, buy) = two_pools(&world, near).await;
    // Eight of the token and the connector, and four of the connector and the coin.
    let (little, much) = (coins(1_000), coins(10_000_000_000));
    shallow(&world, [(token, little), (near, much)], 4).await;
    shallow(&world, [(NATIVE, coins(1_000_000)), (near, coins(100))], 0).await;
    let quote = world.venue.quote(&buy).await.expect("a quote");
    let least = coins(1_000) * U256::from(99) / U256::from(100);
    assert!(quote.amount_out.units() > least, "{}", quote.amount_out);
    let (quoted, came) = world.trade(&buy).await.expect("bought");
    assert_eq!(quoted, came);
}

/// Two dozen pools whose hooks quote far more than is there: each is tried and passed by, and the pair is found.
#[tokio::test]
async fn routes_that_hooks_invent_leave_a_place_for_those_without_hooks() {
    let (world, [near, far]) = World::with_connectors().await;
    let (token, buy) = two_pools(&world, near).await;
    let (six, stake) = (U256::from(300_000_000_000_u64), coins(300_000));
    pool(
        &world,
        Version::V3,
        [(far, six), (world.at().weth, coins(100))],
        false,
    )
    .await;
    pool(&world, Version::V3, [(far, six), (near, stake)], false).await;
    says(&world, generous()).await;
    for fee in 1..=8 {
        for other in [near, far, world.at().usdc] {
            let dust = U256::from(1_000_000);
            hooked(&world, other, token, fee, [dust, dust]).await;
        }
    }
    let mut quoted = world.venue.quote(&buy).await;
    for _ in 0..6 {
        if quoted.is_ok() {
            break;
        }
        quoted = world.venue.quote(&buy).await;
    }
    let quote = quoted.expect("a quote");
    let least = coins(1_000) * U256::from(99) / U256::from(100);
    assert!(quote.amount_out.units() > least, "{}", quote.amount_out);
}
