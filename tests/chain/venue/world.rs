//! A chain, its venue, and a wallet with money.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use chrono::{TimeDelta, Utc};
use lgi_mm::{
    chain::{BestOf, ChainFile, ChainSpec, Rpc},
    devnet::{BlockTime, Deployment, Devnet, NAME},
    domain::{
        Timestamp,
        onchain::{Call, Checks, SwapRequest},
        pool::{NATIVE, Pool},
        units::Amount,
    },
    ports::{QuoteError, Venue},
};
use serde_json::{Value, json};
pub use testkit::live::coins;
use testkit::{TestDb, devnet};

pub const WALLET: Address = Address::repeat_byte(0x77);

/// A chain of the test's own.
pub struct World {
    pub devnet: Devnet,
    pub spec: Arc<ChainSpec>,
    pub venue: BestOf,
    pub db: TestDb,
}

pub fn soon() -> Timestamp {
    Utc::now() + TimeDelta::days(30)
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings than usual.
    pub async fn with(change: impl FnOnce(&mut ChainFile)) -> Self {
        Self::on(devnet::devnet(BlockTime::OnTransaction).await, change).await
    }

    /// With PancakeSwap V3 as well.
    pub async fn with_pancake() -> Self {
        let mut devnet = devnet::devnet(BlockTime::OnTransaction).await;
        devnet.add_pancake().await.expect("its contracts");
        Self::on(devnet, |_| {}).await
    }

    /// With two tokens that routes may go through, of 18 and 6 digits.
    pub async fn with_connectors() -> (Self, [Address; 2]) {
        let devnet = devnet::devnet(BlockTime::OnTransaction).await;
        let near = devnet.add_token("NEAR", 18).await.expect("a token");
        let far = devnet.add_token("FAR", 6).await.expect("a token");
        let world = Self::on(devnet, |keys| keys.connectors = Some(vec![near, far])).await;
        (world, [near, far])
    }

    /// With Slipstream as well.
    pub async fn with_slipstream() -> Self {
        let mut devnet = devnet::devnet(BlockTime::OnTransaction).await;
        devnet.add_slipstream().await.expect("its contracts");
        Self::on(devnet, |_| {}).await
    }

    /// With Aerodrome as well.
    pub async fn with_aerodrome() -> Self {
        let mut devnet = devnet::devnet(BlockTime::OnTransaction).await;
        devnet.add_aerodrome().await.expect("its contracts");
        Self::on(devnet, |_| {}).await
    }

    /// With a fork of V2 as well, called `fork`.
    pub async fn with_v2_fork(change: impl FnOnce(&mut ChainFile)) -> Self {
        let mut devnet = devnet::devnet(BlockTime::OnTransaction).await;
        devnet.add_v2_fork("fork").await.expect("its contracts");
        Self::on(devnet, change).await
    }

    async fn on(devnet: Devnet, change: impl FnOnce(&mut ChainFile)) -> Self {
        let mut keys = devnet.chain_file();
        change(&mut keys);
        let spec = Arc::new(ChainSpec::resolve(NAME, &keys).expect("a chain"));
        let db = testkit::db().await;
        let rpc = Rpc::new(&spec).expect("nodes");
        let venue = BestOf::new(rpc, spec.clone(), db.pool.clone());
        devnet.fund(WALLET).await.expect("money");
        let _: Value = devnet
            .node
            .request("anvil_impersonateAccount", json!([WALLET]))
            .await
            .expect("keys of everybody");
        Self {
            devnet,
            spec,
            venue,
            db,
        }
    }

    /// Another process on the same database; `url`: through this node.
    pub fn another(&self, url: Option<String>) -> BestOf {
        let mut keys = self.devnet.chain_file();
        if let Some(url) = url {
            keys.rpc_urls = vec![url];
        }
        let spec = Arc::new(ChainSpec::resolve(NAME, &keys).expect("a chain"));
        let rpc = Rpc::new(&spec).expect("nodes");
        BestOf::new(rpc, spec, self.db.pool.clone())
    }

    pub fn at(&self) -> &Deployment {
        self.devnet.deployment()
    }

    /// A wish to swap, with nothing special about it.
    pub fn swap(&self, token_in: Address, token_out: Address, amount_in: U256) -> SwapRequest {
        SwapRequest {
            wallet: WALLET,
            token_in,
            token_out,
            amount_in: Amount::new(amount_in),
            amount_out_fair: Amount::ZERO,
            fair_rest: 0,
            pool: None,
            prove_sell: false,
            checks: Checks::none(),
        }
    }

    /// The next block's time, seconds.
    pub async fn next_block_at(&self, time: i64) {
        let node = &self.devnet.node;
        let set = node.request("evm_setNextBlockTimestamp", json!([time]));
        let _: Value = set.await.expect("a later time");
    }

    pub async fn wrap(&self, amount: U256) {
        let deposit = Bytes::from_static(&[0xd0, 0xe3, 0x0d, 0xb0]);
        let weth = Some(self.at().weth);
        self.devnet
            .node
            .send(WALLET, weth, &deposit, amount)
            .await
            .expect("wrapped");
    }

    async fn word(&self, to: Address, selector: [u8; 4], arguments: &[Address]) -> U256 {
        let mut data = selector.to_vec();
        for argument in arguments {
            data.extend_from_slice(argument.into_word().as_slice());
        }
        let answer = self.devnet.node.call(to, &data.into()).await.expect("an answer");
        U256::from_be_slice(&answer[..32])
    }

    pub async fn balance(&self, token: Address) -> U256 {
        self.held_by(WALLET, token).await
    }

    /// What an address has of an asset.
    pub async fn held_by(&self, owner: Address, token: Address) -> U256 {
        if token == NATIVE {
            let asked = self
                .devnet
                .node
                .request("eth_getBalance", json!([owner, "latest"]));
            return asked.await.expect("a balance");
        }
        self.word(token, [0x70, 0xa0, 0x82, 0x31], &[owner]).await
    }

    pub async fn allowance(&self, token: Address, spender: Address) -> U256 {
        self.word(token, [0xdd, 0x62, 0xed, 0x3e], &[WALLET, spender])
            .await
    }

    /// Permit2's: what is left, without its end and nonce.
    pub async fn permitted(&self, token: Address) -> U256 {
        let (permit2, router) = (self.spec.contracts.permit2, self.spec.contracts.universal_router);
        self.word(permit2, [0x92, 0x7d, 0xa1, 0x05], &[WALLET, token, router])
            .await
    }

    /// Sends one call with its own gas limit; its receipt.
    pub async fn send(&self, call: &Call) -> Value {
        let transaction = json!({
            "from": WALLET, "to": call.to, "data": call.data, "value": call.value,
            "gas": U64::from(call.gas_limit),
        });
        let node = &self.devnet.node;
        let hash: B256 = node
            .request("eth_sendTransaction", json!([transaction]))
            .await
            .expect("taken");
        for _ in 0..500 {
            let receipt: Value = node
                .request("eth_getTransactionReceipt", json!([hash]))
                .await
                .expect("an answer");
            if !receipt.is_null() {
                return receipt;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{hash} is never mined");
    }

    /// Sends all calls, which must work; what the wallet's balance of `token` grew by, gas apart.
    pub async fn fill(&self, token: Address, calls: &[Call]) -> U256 {
        let before = self.balance(token).await;
        let mut gas = U256::ZERO;
        for call in calls {
            let receipt = self.send(call).await;
            assert_eq!(receipt["status"], "0x1", "{call:?}: {receipt}");
            let number = |name: &str| {
                receipt[name]
                    .as_str()
                    .expect("a number")
                    .parse::<U256>()
                    .expect("hex")
            };
            gas += number("gasUsed") * number("effectiveGasPrice");
            assert!(number("gasUsed") <= U256::from(call.gas_limit));
        }
        let paid = if token == NATIVE { gas } else { U256::ZERO };
        self.balance(token).await + paid - before
    }

    /// Quotes, asks for calls with the quote as floor, and sends them: what was quoted and what came.
    pub async fn trade(&self, request: &SwapRequest) -> Result<(U256, U256), QuoteError> {
        let quote = self.venue.quote(request).await?;
        let calls = self.venue.calls(request, quote.amount_out, soon()).await?;
        let came = self.fill(request.token_out, &calls).await;
        Ok((quote.amount_out.units(), came))
    }

    pub fn pool(text: &str) -> Pool {
        text.parse().expect("a pool")
    }
}
