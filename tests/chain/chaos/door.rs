//! The proxy itself: each fault is what its name says, seen through our own client.

use std::{sync::Arc, time::Duration};

use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::{Address, B256, U256};
use async_trait::async_trait;
use lgi_mm::{
    chain::{ChainFile, ChainSpec, EvmChain, LocalSigner, NativePrice, Rpc},
    devnet::{BlockTime, CHAIN_ID, Devnet, NAME},
    domain::onchain::{Asset, Call, Fees, Lookup, Sent, SignedTransaction, UnsignedTransaction, UsdPrice},
    ports::{Chain, RpcError, SendError, Signer},
};
use serde_json::json;
use testkit::devnet;

use crate::chaos::{
    proxy::Proxy,
    weather::{Fault, Topic},
};

struct NoPrice;

#[async_trait]
impl NativePrice for NoPrice {
    async fn native_usd(&self) -> Result<UsdPrice, RpcError> {
        Err(RpcError {
            endpoint: "test".to_owned(),
            detail: "nobody asks".to_owned(),
        })
    }

    async fn native_usd_at(&self, _block: u64) -> Result<UsdPrice, RpcError> {
        self.native_usd().await
    }
}

/// A client that asks once and does not wait long, so that faults reach the test.
struct World {
    devnet: Devnet,
    proxy: Proxy,
    chain: EvmChain,
    signer: LocalSigner,
}

const PATIENCE: Duration = Duration::from_millis(500);
/// Longer than the client shares an answer.
const SHARED_FOR: Duration = Duration::from_millis(300);

impl World {
    async fn new() -> Self {
        let devnet = devnet::devnet(BlockTime::OnDemand).await;
        let key = PrivateKeySigner::from_bytes(&B256::repeat_byte(0x46)).expect("a key");
        let coin = U256::from(10).pow(U256::from(18));
        devnet
            .node
            .set_balance(key.address(), coin)
            .await
            .expect("funded");
        devnet.node.mine(5).await.expect("blocks");
        let proxy = Proxy::start(devnet.node.url().clone(), 1, PATIENCE);
        let keys = ChainFile {
            rpc_urls: vec![proxy.url("a")],
            rpc_timeout: Some("500ms".parse().expect("a span")),
            rpc_rounds: Some(1),
            ..devnet.chain_file()
        };
        let spec = Arc::new(ChainSpec::resolve(NAME, &keys).expect("a chain"));
        let rpc = Rpc::new(&spec).expect("nodes");
        let chain = EvmChain::new(rpc, None, spec, Arc::new(NoPrice));
        chain.head().await.expect("a chain that answers");
        Self {
            devnet,
            proxy,
            chain,
            signer: LocalSigner::new(key, CHAIN_ID),
        }
    }

    fn wallet(&self) -> Address {
        self.signer.address()
    }

    async fn sign(&self, nonce: u64, gwei: u128, tip: u128) -> SignedTransaction {
        let unsigned = UnsignedTransaction {
            call: Call::cancel(self.wallet()),
            nonce,
            fees: Fees {
                max_fee_per_gas: gwei * 1_000_000_000,
                max_priority_fee_per_gas: tip * 1_000_000_000,
            },
        };
        self.signer.sign(&unsigned).await.expect("signed")
    }

    async fn mine(&self) {
        self.devnet.node.mine(1).await.expect("a block");
    }

    /// What the node itself knows, past the proxy.
    async fn node_knows(&self, hash: B256) -> bool {
        let found: Option<serde_json::Value> = self
            .devnet
            .node
            .request("eth_getTransactionByHash", json!([hash]))
            .await
            .expect("an answer");
        found.is_some()
    }

    async fn lookup(&self, hash: B256) -> Result<Lookup, RpcError> {
        self.chain.lookup(&[hash]).await.pop().expect("one answer")
    }

    fn plan(&self, topic: Topic, fault: Fault) {
        self.proxy.door().weather.plan(topic, fault);
    }
}

#[tokio::test]
async fn a_send_without_an_answer_is_ambiguous_whether_or_not_the_node_took_it() {
    let world = World::new().await;
    for (nonce, (fault, taken)) in [
        (Fault::LostRequest, false),
        (Fault::Silence, false),
        (Fault::TooMany, false),
        (Fault::Unavailable, false),
        (Fault::SwallowedAnswer, true),
        (Fault::CutAnswer, true),
        (Fault::BadGateway, true),
        (Fault::Garbage, true),
    ]
    .into_iter()
    .enumerate()
    {
        let signed = world.sign(u64::try_from(nonce).expect("few"), 10, 1).await;
        world.plan(Topic::Send, fault);
        let said = world.chain.send(&signed.raw).await;
        assert!(
            matches!(said, Err(SendError::Ambiguous(_))),
            "{fault:?}: {said:?}"
        );
        assert_eq!(world.node_knows(signed.hash).await, taken, "{fault:?}");
        let again = world.chain.send(&signed.raw).await.expect("taken");
        let expected = if taken { Sent::AlreadyKnown } else { Sent::Accepted };
        assert_eq!(again, expected, "{fault:?}");
    }
    world.mine().await;
    let nonces = world.chain.nonces(world.wallet()).await.expect("nonces");
    assert_eq!((nonces.latest, nonces.pending), (8, 8));
}

#[tokio::test]
async fn bytes_that_come_twice_or_late_are_mined_once() {
    let world = World::new().await;
    let twice = world.sign(0, 10, 1).await;
    world.plan(Topic::Send, Fault::Twice);
    assert_eq!(
        world.chain.send(&twice.raw).await.expect("taken"),
        Sent::AlreadyKnown
    );
    let late = world.sign(1, 10, 1).await;
    world.plan(Topic::Send, Fault::Late);
    let said = world.chain.send(&late.raw).await;
    assert!(matches!(said, Err(SendError::Ambiguous(_))), "{said:?}");
    assert!(!world.node_knows(late.hash).await);
    tokio::time::sleep(PATIENCE * 4).await;
    assert!(world.node_knows(late.hash).await, "it comes after all");
    world.mine().await;
    assert_eq!(
        world.chain.nonces(world.wallet()).await.expect("nonces").latest,
        2
    );
}

#[tokio::test]
async fn the_pool_speaks_as_geth_does_and_wants_a_tenth_more() {
    let world = World::new().await;
    let first = world.sign(0, 100, 10).await;
    assert_eq!(world.chain.send(&first.raw).await.expect("taken"), Sent::Accepted);
    for (fee, tip, taken) in [
        (101, 11, false),
        (120, 10, false),
        (109, 20, false),
        (110, 11, true),
        (124, 13, true),
    ] {
        let next = world.sign(0, fee, tip).await;
        let said = world.chain.send(&next.raw).await;
        let fits = match &said {
            Ok(sent) => taken && *sent == Sent::Accepted,
            Err(error) => !taken && matches!(error, SendError::Underpriced),
        };
        assert!(fits, "{fee} {tip}: {said:?}");
    }
    world.mine().await;
    let used = world.chain.send(&first.raw).await;
    assert!(matches!(used, Err(SendError::NonceTooLow)), "{used:?}");
    let nothing: Result<serde_json::Value, _> = world
        .devnet
        .node
        .request(
            "anvil_setNextBlockBaseFeePerGas",
            json!([U256::from(50_000_000_000_u64)]),
        )
        .await;
    nothing.expect("a more expensive block");
    world.mine().await;
    let cheap = world.sign(1, 20, 1).await;
    assert_eq!(
        world.chain.send(&cheap.raw).await.expect("taken, as geth does"),
        Sent::Accepted
    );
    assert_eq!(world.lookup(cheap.hash).await.expect("known"), Lookup::Pooled);
}

#[tokio::test]
async fn what_is_stuck_is_pooled_until_it_is_let_go_and_what_is_dropped_is_absent() {
    let world = World::new().await;
    let (stuck, dropped) = (world.sign(0, 10, 1).await, world.sign(1, 10, 1).await);
    world.plan(Topic::Send, Fault::Stuck);
    assert_eq!(world.chain.send(&stuck.raw).await.expect("taken"), Sent::Accepted);
    world.plan(Topic::Send, Fault::Dropped);
    assert_eq!(
        world.chain.send(&dropped.raw).await.expect("taken"),
        Sent::Accepted
    );
    for _ in 0..3 {
        world.mine().await;
        assert_eq!(world.lookup(stuck.hash).await.expect("known"), Lookup::Pooled);
        assert_eq!(world.lookup(dropped.hash).await.expect("unknown"), Lookup::Absent);
    }
    let door = world.proxy.door();
    door.mempool.let_go(&door.node).await;
    world.mine().await;
    assert!(matches!(world.lookup(stuck.hash).await, Ok(Lookup::Mined(_))));
}

#[tokio::test]
async fn a_mined_transaction_without_a_receipt_is_an_error_and_an_old_count_is_only_old() {
    let world = World::new().await;
    let signed = world.sign(0, 10, 1).await;
    world.chain.send(&signed.raw).await.expect("taken");
    world.mine().await;
    for fault in [
        Fault::NoReceipt,
        Fault::Nonsense,
        Fault::Garbage,
        Fault::CutAnswer,
    ] {
        world.plan(Topic::Lookup, fault);
        let said = world.lookup(signed.hash).await;
        assert!(said.is_err(), "{fault:?}: {said:?}");
    }
    // What is no number is no balance of zero: positions are written down by it.
    for asset in [Asset::Native, Asset::Token(world.devnet.deployment().token)] {
        world.plan(Topic::Read, Fault::Nonsense);
        let said = world.chain.attested_balance(world.wallet(), asset).await;
        assert!(said.is_err(), "{asset}: {said:?}");
    }
    for fault in [Fault::Forgetful, Fault::Behind] {
        world.plan(Topic::Lookup, fault);
        assert_eq!(
            world.lookup(signed.hash).await.expect("an answer"),
            Lookup::Absent,
            "{fault:?}"
        );
    }
    world.plan(Topic::Read, Fault::Behind);
    let old = world.chain.nonces(world.wallet()).await.expect("nonces");
    assert_eq!((old.latest, old.pending), (0, 0));
    // Who asks at the same moment shares an answer: later is another moment.
    tokio::time::sleep(SHARED_FOR).await;
    let head = world.chain.head().await.expect("a head").number;
    tokio::time::sleep(SHARED_FOR).await;
    world.plan(Topic::Read, Fault::Behind);
    assert_eq!(world.chain.head().await.expect("a head").number, head - 2);
    assert!(matches!(world.lookup(signed.hash).await, Ok(Lookup::Mined(_))));
}

#[tokio::test]
async fn a_seed_meets_the_same_requests_with_the_same_faults() {
    use crate::chaos::weather::Weather;
    let faults = |seed| {
        let weather = Weather::new(seed);
        assert_eq!(weather.next(Topic::Send, "before the storm"), None);
        weather.storm(true);
        let mut order: Vec<usize> = (0..200).collect();
        if seed == 7 {
            // In whatever order they come.
            order.reverse();
        }
        let mut met: Vec<_> = order
            .into_iter()
            .map(|nonce| (nonce, weather.next(Topic::Send, &format!("send/{nonce}"))))
            .collect();
        met.sort();
        met
    };
    let reversed = faults(7);
    let weather = Weather::new(7);
    weather.storm(true);
    let forward: Vec<_> = (0..200)
        .map(|nonce| (nonce, weather.next(Topic::Send, &format!("send/{nonce}"))))
        .collect();
    assert_eq!(reversed, forward);
    assert_ne!(reversed, faults(8));
    let faulty = forward.iter().filter(|(_, fault)| fault.is_some()).count();
    assert!((70..150).contains(&faulty), "{faulty} of 200");
}
