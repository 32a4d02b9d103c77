//! The paper chain seen through a node whose blocks are not permanent: it drops mined transactions, moves
//! them to other blocks, and sets what is final.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use alloy_primitives::{Address, B256, Bytes, keccak256};
use async_trait::async_trait;
use lgi_mm::{
    domain::{
        job::Account,
        onchain::{Asset, Fees, Head, Lookup, NonceUse, Nonces, Sent, UsdPrice},
        span::Span,
        trade::Patience,
        units::Amount,
    },
    paper::PaperMarkets,
    ports::{Chain, Market, Markets, NoMarket, RpcError, SendError},
};

use tokio::sync::oneshot;

/// Status of a mined transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// In no block any more; its bytes are accepted when sent again.
    TakenBack { nonce: u64 },
    /// The same, and its bytes are accepted and never mined.
    Buried { nonce: u64 },
    /// In the next block instead.
    Moved,
    /// In its block, and reverted there.
    Reverted,
}

#[derive(Default)]
struct Say {
    fates: HashMap<B256, Fate>,
    finalized: Option<u64>,
    resent: u64,
    fees: Option<Fees>,
    cap: Option<u128>,
    underpriced: bool,
    held: Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>,
}

/// The node's state; shared with the test.
#[derive(Clone, Default)]
pub struct Node(Arc<Mutex<Say>>);

impl Node {
    pub fn set(&self, hash: B256, fate: Option<Fate>) {
        let fates = &mut self.0.lock().expect("node").fates;
        match fate {
            Some(fate) => fates.insert(hash, fate),
            None => fates.remove(&hash),
        };
    }

    /// `None`: the newest block is final.
    pub fn finalize(&self, block: Option<u64>) {
        self.0.lock().expect("node").finalized = block;
    }

    /// Blocks the next request for nonces: announces that it has arrived, and holds it until released.
    pub fn hold(&self) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let (come, has_come) = oneshot::channel();
        let (let_go, go) = oneshot::channel();
        self.0.lock().expect("node").held = Some((come, go));
        (has_come, let_go)
    }

    /// Its gas price; `None`: as usual.
    pub fn charge(&self, fees: Option<Fees>) {
        self.0.lock().expect("node").fees = fees;
    }

    /// The most that may be paid, wei per unit of gas.
    pub fn cap(&self, wei: u128) {
        self.0.lock().expect("node").cap = Some(wei);
    }

    /// From now on it accepts nothing and answers "underpriced" to every transaction.
    pub fn refuse(&self) {
        self.0.lock().expect("node").underpriced = true;
    }

    /// How many times bytes of reorged transactions were sent again.
    pub fn resent(&self) -> u64 {
        self.0.lock().expect("node").resent
    }

    fn fate(&self, hash: B256) -> Option<Fate> {
        self.0.lock().expect("node").fates.get(&hash).copied()
    }

    /// The lowest nonce that is free again.
    fn free(&self) -> Option<u64> {
        let say = self.0.lock().expect("node");
        let nonces = say.fates.values().filter_map(|fate| match fate {
            Fate::TakenBack { nonce } | Fate::Buried { nonce } => Some(*nonce),
            Fate::Moved | Fate::Reverted => None,
        });
        nonces.min()
    }
}

pub struct UnsteadyMarkets {
    pub paper: Arc<PaperMarkets>,
    pub node: Node,
}

#[async_trait]
impl Markets for UnsteadyMarkets {
    async fn market(&self, account: &Account) -> Result<Market, NoMarket> {
        let market = self.paper.market(account).await?;
        Ok(Market {
            chain: Arc::new(UnsteadyChain {
                chain: market.chain,
                node: self.node.clone(),
            }),
            ..market
        })
    }
}

struct UnsteadyChain {
    chain: Arc<dyn Chain>,
    node: Node,
}

#[async_trait]
impl Chain for UnsteadyChain {
    fn wrapped_native(&self) -> Option<Address> {
        self.chain.wrapped_native()
    }

    async fn head(&self) -> Result<Head, RpcError> {
        self.chain.head().await
    }

    async fn nonces(&self, signer: Address) -> Result<Nonces, RpcError> {
        let held = self.node.0.lock().expect("node").held.take();
        if let Some((come, go)) = held {
            come.send(()).expect("a test that waits");
            go.await.expect("a test that lets go");
        }
        let nonces = self.chain.nonces(signer).await?;
        let free = self.node.free().unwrap_or(u64::MAX);
        Ok(Nonces {
            latest: nonces.latest.min(free),
            pending: nonces.pending.min(free),
        })
    }

    async fn balances(&self, wallet: Address, assets: &[Asset]) -> Result<Vec<Amount>, RpcError> {
        self.chain.balances(wallet, assets).await
    }

    async fn fees(&self) -> Result<Fees, RpcError> {
        let told = self.node.0.lock().expect("node").fees;
        match told {
            Some(fees) => Ok(fees),
            None => self.chain.fees().await,
        }
    }

    async fn usd_price(&self, asset: Asset) -> Result<UsdPrice, RpcError> {
        self.chain.usd_price(asset).await
    }

    async fn usd_price_at(&self, asset: Asset, block: u64) -> Result<UsdPrice, RpcError> {
        self.chain.usd_price_at(asset, block).await
    }

    async fn send(&self, raw: &Bytes) -> Result<Sent, SendError> {
        let hash = keccak256(raw);
        if self.node.0.lock().expect("node").underpriced {
            return Err(SendError::Underpriced);
        }
        match self.node.fate(hash) {
            Some(Fate::TakenBack { .. }) => {
                self.node.set(hash, None);
                self.node.0.lock().expect("node").resent += 1;
                Ok(Sent::Accepted)
            }
            Some(Fate::Buried { .. }) => {
                self.node.0.lock().expect("node").resent += 1;
                Ok(Sent::Accepted)
            }
            Some(Fate::Moved | Fate::Reverted) | None => self.chain.send(raw).await,
        }
    }

    async fn lookup(&self, hashes: &[B256]) -> Vec<Result<Lookup, RpcError>> {
        let answers = self.chain.lookup(hashes).await;
        let told = hashes.iter().zip(answers).map(|(hash, answer)| {
            let mut answer = answer?;
            match (self.node.fate(*hash), &mut answer) {
                (Some(Fate::TakenBack { .. } | Fate::Buried { .. }), _) => return Ok(Lookup::Absent),
                (Some(Fate::Moved), Lookup::Mined(receipt)) => {
                    receipt.block_number += 1;
                    receipt.block_hash = keccak256(receipt.block_hash);
                }
                (Some(Fate::Reverted), Lookup::Mined(receipt)) => {
                    receipt.success = false;
                    receipt.transfers.clear();
                }
                _ => {}
            }
            Ok(answer)
        });
        told.collect()
    }

    async fn nonce_use(&self, signer: Address, nonce: u64) -> Result<Option<NonceUse>, RpcError> {
        if self.node.free().is_some_and(|free| free <= nonce) {
            return Ok(None);
        }
        self.chain.nonce_use(signer, nonce).await
    }

    async fn finalized(&self) -> Result<u64, RpcError> {
        let said = self.node.0.lock().expect("node").finalized;
        match said {
            Some(block) => Ok(block),
            None => self.chain.finalized().await,
        }
    }

    fn patience(&self) -> Patience {
        let usual = self.chain.patience();
        let cap = self.node.0.lock().expect("node").cap;
        Patience {
            max_fee_per_gas: cap.unwrap_or(usual.max_fee_per_gas),
            ..usual
        }
    }

    fn max_head_age(&self) -> Span {
        self.chain.max_head_age()
    }
}
