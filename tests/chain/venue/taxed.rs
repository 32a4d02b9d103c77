//! Tokens that keep a share of each transfer, on routes through pools of several versions of Uniswap.

use alloy_primitives::{Address, Bytes, U256};
use lgi_mm::domain::{onchain::SwapRequest, pool::NATIVE};
use serde_json::json;

use crate::venue::{
    mixed::{Version, pool},
    world::{World, coins},
};

const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
const TRANSFER_FROM: [u8; 4] = [0x23, 0xb8, 0x72, 0xdd];

/// `model`'s code on storage of its own; `transfer` and `transferFrom` move 10 % less than asked.
fn taxing(model: Address) -> Bytes {
    let mut code = vec![0x36, 0x60, 0x00, 0x60, 0x00, 0x37]; // copy the call
    for (selector, amount) in [(TRANSFER, 0x24), (TRANSFER_FROM, 0x44)] {
        code.extend([0x60, 0x00, 0x35, 0x60, 0xe0, 0x1c, 0x63]);
        code.extend(selector);
        code.extend([0x18]); // is it another?
        let end = u8::try_from(code.len() + 3 + 12).expect("a short code");
        code.extend([0x60, end, 0x57]); // then continue below
        // memory[amount] = memory[amount] * 9 / 10
        code.extend([
            0x60, 10, 0x60, amount, 0x51, 0x60, 9, 0x02, 0x04, 0x60, amount, 0x52,
        ]);
        code.push(0x5b);
    }
    code.extend([0x60, 0x00, 0x60, 0x00, 0x36, 0x60, 0x00, 0x73]);
    code.extend(model.as_slice());
    code.extend([0x5a, 0xf4, 0x3d, 0x60, 0x00, 0x60, 0x00, 0x3e]); // delegatecall, copy the answer
    let end = u8::try_from(code.len() + 3 + 4).expect("a short code");
    code.extend([0x60, end, 0x57, 0x3d, 0x60, 0x00, 0xfd]); // revert as it did
    code.extend([0x5b, 0x3d, 0x60, 0x00, 0xf3]); // or return
    code.into()
}

/// From now on `token` keeps 10 % of each transfer.
async fn tax(world: &World, token: Address) {
    let node = &world.devnet.node;
    let model = Address::repeat_byte(0x5d);
    let asked = node.request::<Bytes>("eth_getCode", json!([token, "latest"]));
    node.set_code(model, &asked.await.expect("code"))
        .await
        .expect("a model");
    node.set_code(token, &taxing(model)).await.expect("taxed");
}

/// A token that `first` trades for the connector, which `far` trades for the coin.
async fn routed(world: &World, near: Address, first: Version, far: Version) -> Address {
    let (weth, stake) = (world.at().weth, coins(300_000));
    let token = world.devnet.add_token("TAXED", 18).await.expect("a token");
    pool(world, first, [(token, coins(1_000_000)), (near, stake)], false).await;
    pool(world, far, [(near, stake), (weth, coins(100))], false).await;
    token
}

fn buy(world: &World, token: Address) -> SwapRequest {
    world.swap(NATIVE, token, coins(1) / U256::from(10))
}

#[tokio::test]
async fn a_buy_of_a_taxed_token_on_a_mixed_route_is_bound_to_what_arrives_whatever_pool_comes_last() {
    for (last, first) in [
        (Version::V2, Version::V3),
        (Version::V2, Version::V4),
        (Version::V3, Version::V2),
        (Version::V4, Version::V3),
    ] {
        let (world, [near, _]) = World::with_connectors().await;
        let token = routed(&world, near, last, first).await;
        let buy = buy(&world, token);
        let untaxed = lgi_mm::ports::Venue::quote(&world.venue, &buy).await;
        let untaxed = untaxed.expect("a quote").amount_out.units();
        tax(&world, token).await;
        let (quoted, came) = world.trade(&buy).await.expect("bought");
        assert_eq!(quoted, came, "{first:?} {last:?}");
        assert_eq!(
            came,
            untaxed * U256::from(9) / U256::from(10),
            "{first:?} {last:?}"
        );
    }
}

#[tokio::test]
async fn a_sale_of_a_taxed_token_on_a_mixed_route_is_signed_and_fills() {
    for far in [Version::V3, Version::V4] {
        let (world, [near, _]) = World::with_connectors().await;
        let token = routed(&world, near, Version::V2, far).await;
        tax(&world, token).await;
        world.trade(&buy(&world, token)).await.expect("bought");
        for (quote, share) in [(NATIVE, 2), (world.at().weth, 2), (world.at().usdc, 1)] {
            let sold = world.balance(token).await / U256::from(share);
            let sale = world.swap(token, quote, sold);
            let (quoted, back) = world.trade(&sale).await.expect("sold");
            assert_eq!(quoted, back, "{far:?} {quote}");
            assert!(back > U256::ZERO, "{far:?} {quote}");
        }
    }
}

/// Through the coin's own pool with dollars: no connector is named in any settings.
#[tokio::test]
async fn a_taxed_token_of_a_pair_is_bought_and_sold_for_dollars_through_the_coin() {
    let world = World::new().await;
    let (weth, usdc) = (world.at().weth, world.at().usdc);
    let token = world.devnet.add_token("TAXED", 18).await.expect("a token");
    let stakes = [(token, coins(1_000_000)), (weth, coins(100))];
    pool(&world, Version::V2, stakes, false).await;
    tax(&world, token).await;
    let buy = world.swap(usdc, token, U256::from(300_000_000_u64));
    let (quoted, came) = world.trade(&buy).await.expect("bought");
    assert_eq!(quoted, came);
    let (quoted, back) = world.trade(&world.swap(token, usdc, came)).await.expect("sold");
    assert_eq!(quoted, back);
    // A tenth each way, and fees.
    let paid = buy.amount_in.units();
    assert!(back > paid * U256::from(79) / U256::from(100), "{back}");
    assert!(back < paid * U256::from(81) / U256::from(100), "{back}");
}
