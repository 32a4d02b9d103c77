//! The least that a trade can ask of a node: a loop over alloy's client that sends each call when the one before
//! counts.

use std::time::{Duration, Instant};

use alloy::{
    rpc::client::{ClientBuilder, RpcClient},
    signers::local::PrivateKeySigner,
};
use alloy_primitives::{Address, B256, Bytes, U64, U128};
use lgi_mm::{
    chain::LocalSigner,
    devnet::CHAIN_ID,
    domain::onchain::{Call, Fees, UnsignedTransaction},
    ports::Signer,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use testkit::meter::Meter;

/// A key of the mnemonic that every development node knows.
const KEY: &str = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";

pub struct Bare {
    pub meter: Meter,
    pub wallet: Address,
    client: RpcClient,
    signer: LocalSigner,
    depth: u64,
    block_time: Duration,
}

impl Bare {
    /// Over the node at `url`; what is mined counts at this depth.
    pub fn new(url: &str, depth: u64, block_time: Duration) -> Self {
        let meter = Meter::start(url.parse().expect("a URL"));
        let key: PrivateKeySigner = KEY.parse().expect("a key");
        Self {
            client: ClientBuilder::default().http(meter.url().parse().expect("a URL")),
            wallet: key.address(),
            signer: LocalSigner::new(key, CHAIN_ID),
            meter,
            depth,
            block_time,
        }
    }

    async fn ask<T: DeserializeOwned>(&self, method: &'static str, params: Value) -> T {
        let asked: Result<Value, _> = self.client.request(method, params).await;
        serde_json::from_value(asked.expect(method)).expect(method)
    }

    /// Sends each call and waits until it counts; how long that took.
    pub async fn trade(&self, calls: &[Call]) -> Duration {
        let begun = Instant::now();
        for call in calls {
            let hash = self.send(call).await;
            self.wait(hash).await;
        }
        begun.elapsed()
    }

    async fn send(&self, call: &Call) -> B256 {
        let nonce: U64 = self
            .ask("eth_getTransactionCount", json!([self.wallet, "latest"]))
            .await;
        let price: U128 = self.ask("eth_gasPrice", json!([])).await;
        let transaction =
            json!({ "from": self.wallet, "to": call.to, "data": call.data, "value": call.value });
        let gas: U64 = self.ask("eth_estimateGas", json!([transaction])).await;
        let unsigned = UnsignedTransaction {
            call: Call {
                gas_limit: gas.to::<u64>() * 5 / 4,
                ..call.clone()
            },
            nonce: nonce.to(),
            fees: Fees {
                max_fee_per_gas: price.to::<u128>() * 2,
                max_priority_fee_per_gas: 1_000_000_000,
            },
        };
        let signed = self.signer.sign(&unsigned).await.expect("signed");
        let raw: Bytes = signed.raw;
        self.ask("eth_sendRawTransaction", json!([raw])).await
    }

    /// Asks for the receipt once a block, and then for the newest block until it is deep enough.
    async fn wait(&self, hash: B256) {
        let mined = loop {
            tokio::time::sleep(self.block_time).await;
            let receipt: Value = self.ask("eth_getTransactionReceipt", json!([hash])).await;
            if let Ok(block) = serde_json::from_value::<U64>(receipt["blockNumber"].clone()) {
                assert_eq!(receipt["status"], "0x1", "{receipt}");
                break block.to::<u64>();
            }
        };
        loop {
            let head: U64 = self.ask("eth_blockNumber", json!([])).await;
            if head.to::<u64>() + 1 >= mined + self.depth {
                return;
            }
            tokio::time::sleep(self.block_time).await;
        }
    }
}
