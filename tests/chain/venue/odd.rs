//! Tokens, nodes and chains that are not like the others.

use std::sync::Arc;

use alloy_primitives::{Address, Bytes, U256, hex};
use axum::{Router, extract::State, routing::post};
use lgi_mm::{
    chain::{BestOf, ChainSpec, Rpc},
    devnet::NAME,
    domain::{
        onchain::{Call, SwapRequest},
        pool::NATIVE,
        trade::Purpose,
        units::Amount,
    },
    ports::{QuoteError, Venue},
};
use testkit::serve;

use crate::venue::world::{WALLET, World, coins, soon};

/// USDT's ways on the storage of the usual test token: an allowance is changed only from or to zero, and nothing
/// returns a bool. The runtime of:
///
/// ```solidity
/// contract StrictToken {
///     string public name; string public symbol; uint256 public totalSupply;
///     mapping(address => uint256) public balanceOf;
///     mapping(address => mapping(address => uint256)) public allowance;
///     function decimals() external pure returns (uint8) { return 6; }
///     function approve(address spender, uint256 amount) external {
///         require(amount == 0 || allowance[msg.sender][spender] == 0, "approve from nonzero");
///         allowance[msg.sender][spender] = amount; emit Approval(msg.sender, spender, amount);
///     }
///     function transfer(address to, uint256 amount) external { move(msg.sender, to, amount); }
///     function transferFrom(address from, address to, uint256 amount) external {
///         allowance[from][msg.sender] -= amount; move(from, to, amount);
///     }
///     function move(address from, address to, uint256 amount) internal {
///         balanceOf[from] -= amount; balanceOf[to] += amount; emit Transfer(from, to, amount);
///     }
/// }
/// ```
const STRICT: &str = include_str!("strict_token.hex");

/// `token`'s own code on storage of its own, but `transfer` moves `percent` per cent less than requested.
fn taxing(token: Address, percent: u8) -> Bytes {
    let code: [&[u8]; 11] = [
        &[0x36, 0x60, 0x00, 0x60, 0x00, 0x37],             // copy the call
        &[0x60, 100],                                      // the divisor
        &[0x60, 0x00, 0x35, 0x60, 0xe0, 0x1c],             // selector
        &[0x63, 0xa9, 0x05, 0x9c, 0xbb, 0x14],             // == transfer
        &[0x60, percent, 0x02, 0x60, 100, 0x03],           // 100 less percent * that
        &[0x60, 0x24, 0x51, 0x02, 0x04, 0x60, 0x24, 0x52], // the second argument shrinks so much
        &[0x60, 0x00, 0x60, 0x00, 0x36, 0x60, 0x00, 0x73],
        token.as_slice(),
        &[0x5a, 0xf4, 0x3d, 0x60, 0x00, 0x60, 0x00, 0x3e], // delegatecall token, copy the answer
        &[0x60, 0x4c, 0x57, 0x3d, 0x60, 0x00, 0xfd],       // revert as it did
        &[0x5b, 0x3d, 0x60, 0x00, 0xf3],                   // or return
    ];
    let mut code = code.concat();
    let end = code.len() - 5;
    code[end - 6] = u8::try_from(end).expect("a short code");
    code.into()
}

async fn tax(world: &World, token: Address, percent: u8) {
    let node = &world.devnet.node;
    let model = Address::repeat_byte(0x5d);
    let code: Bytes = node
        .request("eth_getCode", serde_json::json!([token, "latest"]))
        .await
        .expect("code");
    node.set_code(model, &code).await.expect("a model");
    node.set_code(token, &taxing(model, percent))
        .await
        .expect("taxed");
}

#[tokio::test]
async fn what_a_token_keeps_is_measured_on_every_pool_and_the_floor_holds_for_what_arrives() {
    for pool in ["v3:10000", "v4"] {
        let world = World::new().await;
        let at = world.at().clone();
        let (token, pool) = if pool == "v4" {
            (at.clanker, at.clanker_pool)
        } else {
            (at.token, World::pool(pool))
        };
        let buy = SwapRequest {
            pool: Some(pool),
            ..world.swap(NATIVE, token, coins(1))
        };
        let untaxed = world.venue.quote(&buy).await.expect("a quote").amount_out.units();
        tax(&world, token, 5).await;
        let quote = world.venue.quote(&buy).await.expect("a quote").amount_out;
        assert_eq!(
            quote.units(),
            untaxed * U256::from(95) / U256::from(100),
            "{pool}"
        );
        let calls = world.venue.calls(&buy, quote, soon()).await.expect("calls");
        assert_eq!(world.fill(token, &calls).await, quote.units(), "{pool}");
        // Another trader is faster: what would arrive is less than the floor, though not less than the floor
        // would let leave the pool if the tax were forgotten.
        let quote = world.venue.quote(&buy).await.expect("a quote").amount_out;
        let late = world.venue.calls(&buy, quote, soon()).await.expect("calls");
        let faster = SwapRequest {
            amount_in: Amount::new(coins(1) / U256::from(2)),
            ..buy
        };
        world.trade(&faster).await.expect("a fill");
        let receipt = world.send(late.last().expect("a swap")).await;
        assert_eq!(receipt["status"], "0x0", "{pool}: the floor holds");
    }
}

#[tokio::test]
async fn an_allowance_that_must_be_cleared_first_is_and_only_then() {
    let world = World::new().await;
    let at = world.at().clone();
    let code = hex::decode(STRICT.trim()).expect("hex").into();
    world.devnet.node.set_code(at.usdc, &code).await.expect("strict");
    let buy = world.swap(at.usdc, at.weth, U256::from(1_000_000));
    let purposes = |calls: &[Call]| calls.iter().map(|call| call.purpose).collect::<Vec<_>>();
    let calls = world
        .venue
        .calls(&buy, Amount::ZERO, soon())
        .await
        .expect("calls");
    assert_eq!(purposes(&calls), [Purpose::Approve, Purpose::Swap]);
    // Only the approve is mined, and something is left over.
    let receipt = world.send(&calls[0]).await;
    assert_eq!(receipt["status"], "0x1");
    let next = SwapRequest {
        amount_in: Amount::new(U256::from(2_000_000)),
        ..buy
    };
    let calls = world
        .venue
        .calls(&next, Amount::ZERO, soon())
        .await
        .expect("calls");
    assert_eq!(
        purposes(&calls),
        [Purpose::Approve, Purpose::Approve, Purpose::Swap]
    );
    assert!(calls[0].data.ends_with(&[0; 32]), "cleared first");
    assert!(world.fill(at.weth, &calls).await > U256::ZERO);
    let router = world.spec.contracts.swap_router;
    assert_eq!(world.allowance(at.usdc, router).await, U256::ZERO);
    // Another token allows a second approval.
    world
        .trade(&world.swap(NATIVE, at.token, coins(1)))
        .await
        .expect("a fill");
    let sell = world.swap(at.token, NATIVE, coins(1_000));
    let calls = world
        .venue
        .calls(&sell, Amount::ZERO, soon())
        .await
        .expect("calls");
    world.send(&calls[0]).await;
    let again = world
        .venue
        .calls(&sell, Amount::ZERO, soon())
        .await
        .expect("calls");
    assert_eq!(again.len(), calls.len());
}

/// What a node behind our door cannot do.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Lacks {
    /// `eth_simulateV1`.
    Simulation,
    /// And calls with changed state are refused.
    Overrides,
    /// And changed state is ignored without a word.
    OverridesInSilence,
}

/// Passes everything on that it does not lack.
async fn old_node(world: &World, lacks: Lacks) -> String {
    type Shared = (reqwest::Client, String, Lacks);
    async fn pass(State((client, url, lacks)): State<Shared>, body: String) -> String {
        let mut asked: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let with_overrides = asked["method"] == "eth_call" && !asked["params"][2].is_null();
        let error = if asked["method"] == "eth_simulateV1" {
            Some((-32601, "the method eth_simulateV1 does not exist"))
        } else if with_overrides && lacks == Lacks::Overrides {
            Some((-32602, "too many arguments, want at most 2"))
        } else {
            None
        };
        if let Some((code, message)) = error {
            let error = serde_json::json!({ "code": code, "message": message });
            return serde_json::json!({ "jsonrpc": "2.0", "id": asked["id"], "error": error }).to_string();
        }
        if with_overrides && lacks == Lacks::OverridesInSilence {
            asked["params"].as_array_mut().map(Vec::pop);
        }
        let request = client
            .post(url)
            .header("content-type", "application/json")
            .body(asked.to_string());
        request
            .send()
            .await
            .expect("the node answers")
            .text()
            .await
            .expect("a body")
    }
    let shared = (reqwest::Client::new(), world.devnet.node.url().to_string(), lacks);
    let app = Router::new().route("/", post(pass)).with_state(shared);
    serve(app).0
}

async fn venue_of(world: &World, lacks: Lacks) -> BestOf {
    let mut keys = world.devnet.chain_file();
    keys.rpc_urls = vec![old_node(world, lacks).await];
    let spec = Arc::new(ChainSpec::resolve(NAME, &keys).expect("a chain"));
    let rpc = Rpc::new(&spec).expect("nodes");
    BestOf::new(rpc, spec, world.db.pool.clone())
}

#[tokio::test]
async fn a_node_that_simulates_no_block_tries_a_trade_by_code_at_the_wallets_address() {
    let world = World::new().await;
    let at = world.at().clone();
    let venue = venue_of(&world, Lacks::Simulation).await;
    for token in [at.token, at.clanker, at.taxed] {
        let buy = SwapRequest {
            prove_sell: true,
            ..world.swap(NATIVE, token, coins(1))
        };
        // What a block of simulated calls says, from the logs of its calls, is what the balances say.
        let buy = SwapRequest {
            checks: lgi_mm::domain::onchain::Checks {
                round_trip_loss_max_bps: 3_000,
                ..buy.checks
            },
            ..buy
        };
        let quote = venue.quote(&buy).await.expect("a quote");
        let simulated = world.venue.quote(&buy).await.expect("a quote");
        assert_eq!(quote.amount_out, simulated.amount_out, "{token}");
        let calls = venue.calls(&buy, quote.amount_out, soon()).await.expect("calls");
        let came = world.fill(token, &calls).await;
        assert_eq!(came, quote.amount_out.units(), "{token}");
        let sell = world.swap(token, NATIVE, came);
        let quote = venue.quote(&sell).await.expect("a quote");
        let simulated = world.venue.quote(&sell).await.expect("a quote");
        assert_eq!(quote.amount_out, simulated.amount_out, "{token}");
        let calls = venue.calls(&sell, quote.amount_out, soon()).await.expect("calls");
        assert!(calls.len() > 1, "approvals of the exact amount first");
        assert_eq!(
            world.fill(NATIVE, &calls).await,
            quote.amount_out.units(),
            "{token}"
        );
    }
}

#[tokio::test]
async fn without_any_trial_of_several_calls_nothing_is_bought_and_everything_can_be_sold() {
    let world = World::new().await;
    let at = world.at().clone();
    for lacks in [Lacks::Overrides, Lacks::OverridesInSilence] {
        let venue = venue_of(&world, lacks).await;
        let buy = SwapRequest {
            prove_sell: true,
            ..world.swap(NATIVE, at.token, coins(1))
        };
        let refused = venue.quote(&buy).await.expect_err("a sale cannot be proven");
        assert!(matches!(refused, QuoteError::Rpc(_)), "{refused}");
        let said = refused.to_string();
        assert!(
            said.contains("eth_simulateV1") && said.contains("state overrides"),
            "{said}"
        );
        for token in [at.token, at.clanker] {
            let (_, came) = world
                .trade(&world.swap(NATIVE, token, coins(1)))
                .await
                .expect("bought with a better node");
            let sell = world.swap(token, NATIVE, came);
            let quote = venue.quote(&sell).await.expect("a quote");
            let calls = venue.calls(&sell, quote.amount_out, soon()).await.expect("calls");
            let sold = world.fill(NATIVE, &calls).await;
            assert_eq!(sold, quote.amount_out.units(), "{lacks:?} {token}");
        }
    }
}

#[tokio::test]
async fn what_a_rollup_takes_for_data_is_part_of_the_quote() {
    let oracle = Address::repeat_byte(0x0f);
    let world = World::with(|keys| {
        keys.contracts.insert("gas_price_oracle".to_owned(), oracle);
    })
    .await;
    // Answers 1000 to everything.
    let thousand = Bytes::from_static(&[0x61, 0x03, 0xe8, 0x60, 0, 0x52, 0x60, 0x20, 0x60, 0, 0xf3]);
    let buy = world.swap(NATIVE, world.at().token, coins(1));
    let silent = world
        .venue
        .quote(&buy)
        .await
        .expect_err("an oracle that is not there");
    assert!(silent.to_string().contains("gas_price_oracle"), "{silent}");
    world
        .devnet
        .node
        .set_code(oracle, &thousand)
        .await
        .expect("an oracle");
    for (request, calls) in [
        (buy, 1),
        (
            world.swap(world.at().usdc, world.at().weth, U256::from(1_000_000)),
            2,
        ),
    ] {
        let quote = world.venue.quote(&request).await.expect("a quote");
        assert_eq!(quote.data_fee, Amount::new(U256::from(1_000 * calls)));
    }
    assert_eq!(buy.wallet, WALLET);
}
