//! A chain behind its nodes: the port `Chain` in JSON-RPC.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use alloy_primitives::{Address, B256, Bytes, U64, U128, U256};
use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{
    fresh::Fresh,
    receipts::{RawBlock, RawReceipt, RawTransaction},
    rpc::{CallError, Rpc},
    send::classify,
    settings::ChainSpec,
};
use crate::{
    domain::{
        span::Span,
        trade::Patience,
        units::{Amount, Price},
    },
    ports::{Asset, Chain, Fees, Head, Lookup, NonceUse, Nonces, RpcError, SendError, Sent, UsdPrice},
};

/// `balanceOf(address)`.
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];

/// Nodes of Polygon take nothing that tips less.
const TIP_MIN_POLYGON: u128 = 30_000_000_000;
const POLYGON: u64 = 137;
/// A tip of nothing is never mined on some chains.
const TIP_MIN: u128 = 1_000;

/// The least that a block's producer must be offered, wei per unit of gas.
const fn tip_min(chain_id: u64) -> u128 {
    if chain_id == POLYGON {
        TIP_MIN_POLYGON
    } else {
        TIP_MIN
    }
}

/// A tip of so many times the base fee gets mined on any chain.
const TIP_BASE_FEES: u128 = 10;
/// A tip below this share of the chain's most is paid however low the base fee is.
const TIP_SHARE: u128 = 10;

/// The tip that a node asks for, as far as it can be believed: no more than ten times the base fee or a tenth of the
/// chain's most, whichever is more, and never more than that most; wei per unit of gas.
fn tip_within(asked: u128, base: u128, most: u128) -> u128 {
    let usual = base.saturating_mul(TIP_BASE_FEES).max(most / TIP_SHARE);
    asked.min(usual).min(most)
}

/// What the native coin is worth, wherever that is known from.
#[async_trait]
pub trait NativePrice: Send + Sync {
    /// USD per whole native coin.
    async fn native_usd(&self) -> Result<UsdPrice, RpcError>;

    /// The same as it was known in `block`.
    async fn native_usd_at(&self, block: u64) -> Result<UsdPrice, RpcError>;
}

/// One chain.
pub struct EvmChain {
    rpc: Rpc,
    private: Option<Rpc>,
    spec: Arc<ChainSpec>,
    native: Arc<dyn NativePrice>,
    head: Fresh<Head>,
    fees: Fresh<Fees>,
    nonces: Mutex<HashMap<Address, Arc<Fresh<Nonces>>>>,
}

impl EvmChain {
    /// What needs no feed; none: the native coin and its wrapped form.
    fn par(&self, asset: Asset) -> Result<Option<UsdPrice>, RpcError> {
        match asset {
            Asset::Token(token) if token == self.spec.usdc => Ok(Some(UsdPrice {
                price: Price::ONE,
                source: "par",
                at: chrono::Utc::now(),
            })),
            Asset::Token(token) if token != self.spec.wrapped_native => Err(RpcError {
                endpoint: self.spec.name.clone(),
                detail: format!("{token} is neither USDC nor the native coin: its price is not known"),
            }),
            Asset::Native | Asset::Token(_) => Ok(None),
        }
    }

    /// The chain of `spec`, asked through `rpc`; transactions go through `private` if there is one.
    #[must_use]
    pub fn new(rpc: Rpc, private: Option<Rpc>, spec: Arc<ChainSpec>, native: Arc<dyn NativePrice>) -> Self {
        Self {
            rpc,
            private,
            spec,
            native,
            head: Fresh::default(),
            fees: Fresh::default(),
            nonces: Mutex::default(),
        }
    }

    fn nonsense(&self, what: &str, error: impl ToString) -> RpcError {
        RpcError {
            endpoint: self.spec.name.clone(),
            detail: format!("{what}: an answer that makes no sense: {}", error.to_string()),
        }
    }

    fn read<T: DeserializeOwned>(&self, what: &str, answer: Result<Value, CallError>) -> Result<T, RpcError> {
        let value = answer.map_err(CallError::into_rpc)?;
        serde_json::from_value(value).map_err(|error| self.nonsense(what, error))
    }

    async fn block(&self, tag: &str) -> Result<Option<RawBlock>, RpcError> {
        let block = self
            .rpc
            .request("eth_getBlockByNumber", json!([tag, false]))
            .await;
        block.map_err(CallError::into_rpc)
    }

    async fn newest(&self) -> Result<RawBlock, RpcError> {
        let block = self.block("latest").await?;
        block.ok_or_else(|| self.nonsense("eth_getBlockByNumber", "there is no newest block"))
    }

    async fn ask_head(&self) -> Result<Head, RpcError> {
        let block = self.newest().await?;
        let time = block.time();
        Ok(Head {
            number: block.number.to(),
            time: time
                .ok_or_else(|| self.nonsense("eth_getBlockByNumber", "its timestamp is out of range"))?,
        })
    }

    async fn ask_nonces(&self, signer: Address) -> Result<Nonces, RpcError> {
        let count = |tag| ("eth_getTransactionCount", json!([signer, tag]));
        let mut answers = self
            .rpc
            .batch(&[count("latest"), count("pending")])
            .await?
            .into_iter();
        let mut next = || {
            let answer = answers.next().unwrap_or(Ok(Value::Null));
            self.read::<U64>("eth_getTransactionCount", answer)
        };
        Ok(Nonces {
            latest: next()?.to(),
            pending: next()?.to(),
        })
    }

    /// Twice the base fee, so that several blocks of rising fees are outbid, as far as the chain's cap allows. A chain
    /// that asks for more than the cap is told as it is: whoever signs must not.
    async fn ask_fees(&self) -> Result<Fees, RpcError> {
        let requests = [
            ("eth_getBlockByNumber", json!(["latest", false])),
            ("eth_maxPriorityFeePerGas", json!([])),
        ];
        let mut answers = self.rpc.batch(&requests).await?.into_iter();
        let block: RawBlock = self.read("eth_getBlockByNumber", answers.next().unwrap_or(Ok(Value::Null)))?;
        let tip: U128 = self.read(
            "eth_maxPriorityFeePerGas",
            answers.next().unwrap_or(Ok(Value::Null)),
        )?;
        let base = block
            .base_fee_per_gas
            .ok_or_else(|| self.nonsense("eth_getBlockByNumber", "no base fee: EIP-1559 is needed"))?;
        let base = base.to::<u128>();
        let tip = tip_within(tip.to(), base, self.spec.max_tip_per_gas).max(tip_min(self.spec.chain_id));
        let asked = base.saturating_add(tip);
        Ok(Fees {
            max_fee_per_gas: asked
                .saturating_add(base)
                .min(self.spec.max_fee_per_gas)
                .max(asked),
            max_priority_fee_per_gas: tip,
        })
    }

    async fn count_at(&self, signer: Address, block: u64) -> Result<u64, RpcError> {
        let params = json!([signer, U64::from(block)]);
        let count: U64 = self
            .rpc
            .request("eth_getTransactionCount", params)
            .await
            .map_err(CallError::into_rpc)?;
        Ok(count.to())
    }

    /// The block that holds the transaction with this nonce: the first with a higher count.
    async fn block_of(&self, signer: Address, nonce: u64) -> Result<Option<u64>, RpcError> {
        let newest: u64 = self.newest().await?.number.to();
        if self.count_at(signer, newest).await? <= nonce {
            return Ok(None);
        }
        // Most are recent, and old state is not everywhere: step back by doubling strides first.
        let (mut above, mut stride) = (newest, 1_u64);
        let mut below = loop {
            let candidate = above.saturating_sub(stride);
            if candidate == 0 || self.count_at(signer, candidate).await? <= nonce {
                break candidate;
            }
            above = candidate;
            stride = stride.saturating_mul(2);
        };
        while above.saturating_sub(below) > 1 {
            let middle = below + (above - below) / 2;
            if self.count_at(signer, middle).await? <= nonce {
                below = middle;
            } else {
                above = middle;
            }
        }
        Ok(Some(above))
    }

    /// Receipts and transactions of all hashes in one round trip, their blocks in a second.
    async fn look_up(&self, hashes: &[B256]) -> Result<Vec<Result<Lookup, RpcError>>, RpcError> {
        let mut requests = Vec::with_capacity(hashes.len() * 2);
        for hash in hashes {
            requests.push(("eth_getTransactionReceipt", json!([hash])));
            requests.push(("eth_getTransactionByHash", json!([hash])));
        }
        let mut answers = self.rpc.batch(&requests).await?.into_iter();
        let mut found = Vec::with_capacity(hashes.len());
        let mut blocks: BTreeMap<u64, Option<RawBlock>> = BTreeMap::new();
        for hash in hashes {
            let mut next = || answers.next().unwrap_or(Ok(Value::Null));
            let (receipt, transaction) = (next(), next());
            let pair = self.pair(*hash, receipt, transaction);
            if let Ok((Some(receipt), _)) = &pair {
                blocks.insert(receipt.block_number.to(), None);
            }
            found.push(pair);
        }
        self.fill_in(&mut blocks).await?;
        Ok(found
            .into_iter()
            .map(|pair| pair.and_then(|pair| self.judge(pair, &blocks)))
            .collect())
    }

    fn pair(
        &self,
        hash: B256,
        receipt: Result<Value, CallError>,
        transaction: Result<Value, CallError>,
    ) -> Result<(Option<RawReceipt>, Option<RawTransaction>), RpcError> {
        let receipt: Option<RawReceipt> = self.read("eth_getTransactionReceipt", receipt)?;
        let transaction: Option<RawTransaction> = self.read("eth_getTransactionByHash", transaction)?;
        let told = [
            receipt.as_ref().map(|receipt| receipt.transaction_hash),
            transaction.as_ref().map(|transaction| transaction.hash),
        ];
        match told.into_iter().flatten().find(|told| *told != hash) {
            Some(other) => Err(self.nonsense("look-up", format_args!("asked for {hash}, got {other}"))),
            None => Ok((receipt, transaction)),
        }
    }

    async fn fill_in(&self, blocks: &mut BTreeMap<u64, Option<RawBlock>>) -> Result<(), RpcError> {
        let requests: Vec<_> = blocks
            .keys()
            .map(|number| ("eth_getBlockByNumber", json!([U64::from(*number), false])))
            .collect();
        let answers = self.rpc.batch(&requests).await?;
        for (block, answer) in blocks.values_mut().zip(answers) {
            *block = self.read("eth_getBlockByNumber", answer)?;
        }
        Ok(())
    }

    /// A receipt counts only if the block it names is the one at its height: nodes behind one door may disagree.
    fn judge(
        &self,
        pair: (Option<RawReceipt>, Option<RawTransaction>),
        blocks: &BTreeMap<u64, Option<RawBlock>>,
    ) -> Result<Lookup, RpcError> {
        let unsettled = |what: &str| RpcError {
            endpoint: self.spec.name.clone(),
            detail: what.to_owned(),
        };
        match pair {
            (None, None) => Ok(Lookup::Absent),
            (None, Some(transaction)) if transaction.block_number.is_none() => Ok(Lookup::Pooled),
            (None, Some(_)) => Err(unsettled("mined, but the node has no receipt for it yet")),
            (Some(_), None) => Err(unsettled(
                "a receipt of a transaction that the node does not know",
            )),
            (Some(receipt), Some(transaction)) => {
                let block = blocks.get(&receipt.block_number.to()).and_then(Option::as_ref);
                let block = block.filter(|block| block.hash == receipt.block_hash);
                let time = block.and_then(RawBlock::time);
                let time =
                    time.ok_or_else(|| unsettled("the receipt's block is not the one at its height"))?;
                let read = receipt.read(&transaction, time, self.spec.wrapped_native);
                let read =
                    read.ok_or_else(|| self.nonsense("eth_getTransactionReceipt", "gas out of range"))?;
                Ok(Lookup::Mined(read))
            }
        }
    }
}

#[async_trait]
impl Chain for EvmChain {
    async fn head(&self) -> Result<Head, RpcError> {
        self.head.get(|| self.ask_head()).await
    }

    async fn nonces(&self, signer: Address) -> Result<Nonces, RpcError> {
        let fresh = self.nonces.lock().await.entry(signer).or_default().clone();
        fresh.get(|| self.ask_nonces(signer)).await
    }

    async fn fees(&self) -> Result<Fees, RpcError> {
        self.fees.get(|| self.ask_fees()).await
    }

    async fn balances(&self, wallet: Address, assets: &[Asset]) -> Result<Vec<Amount>, RpcError> {
        let request = |asset: &Asset| match asset {
            Asset::Native => ("eth_getBalance", json!([wallet, "latest"])),
            Asset::Token(token) => {
                let data: Bytes = [&BALANCE_OF[..], wallet.into_word().as_slice()].concat().into();
                ("eth_call", json!([{ "to": token, "data": data }, "latest"]))
            }
        };
        let requests: Vec<_> = assets.iter().map(request).collect();
        let answers = self.rpc.batch(&requests).await?;
        let read = |answer| {
            let bytes: Value = self.read("balance", answer)?;
            let text = bytes.as_str().unwrap_or_default();
            let units: U256 = text.parse().map_err(|error| self.nonsense("balance", error))?;
            Ok(Amount::new(units))
        };
        answers.into_iter().map(read).collect()
    }

    async fn usd_price(&self, asset: Asset) -> Result<UsdPrice, RpcError> {
        match self.par(asset)? {
            Some(par) => Ok(par),
            None => self.native.native_usd().await,
        }
    }

    async fn usd_price_at(&self, asset: Asset, block: u64) -> Result<UsdPrice, RpcError> {
        match self.par(asset)? {
            Some(par) => Ok(par),
            None => self.native.native_usd_at(block).await,
        }
    }

    async fn send(&self, raw: &Bytes) -> Result<Sent, SendError> {
        let door = self.private.as_ref().unwrap_or(&self.rpc);
        match door
            .request::<Value>("eth_sendRawTransaction", json!([raw]))
            .await
        {
            Ok(_) => Ok(Sent::Accepted),
            Err(CallError::Node {
                endpoint, message, ..
            }) => classify(&endpoint, &message),
            Err(CallError::Rpc(error)) => Err(SendError::Ambiguous(error)),
        }
    }

    async fn lookup(&self, hashes: &[B256]) -> Vec<Result<Lookup, RpcError>> {
        match self.look_up(hashes).await {
            Ok(answers) => answers,
            Err(error) => hashes.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn nonce_use(&self, signer: Address, nonce: u64) -> Result<Option<NonceUse>, RpcError> {
        let Some(number) = self.block_of(signer, nonce).await? else {
            return Ok(None);
        };
        let params = json!([U64::from(number), true]);
        let block: Option<Value> = self
            .rpc
            .request("eth_getBlockByNumber", params)
            .await
            .map_err(CallError::into_rpc)?;
        let Some(block) = block else { return Ok(None) };
        let head: RawBlock = self.read("eth_getBlockByNumber", Ok(block.clone()))?;
        let transactions = block.get("transactions").and_then(Value::as_array);
        let used = transactions.into_iter().flatten().find_map(|transaction| {
            // A chain's own kinds of transactions need not look like ours.
            let transaction: RawTransaction = serde_json::from_value(transaction.clone()).ok()?;
            let ours = transaction.from == signer && transaction.nonce == U64::from(nonce);
            ours.then_some(transaction.hash)
        });
        Ok(used.map(|hash| NonceUse {
            hash,
            block_number: number,
            block_hash: head.hash,
        }))
    }

    /// A chain that names no final block has none: its fills stay watched.
    async fn finalized(&self) -> Result<u64, RpcError> {
        match self.block("finalized").await {
            Ok(Some(block)) => Ok(block.number.to()),
            Ok(None) => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn patience(&self) -> Patience {
        self.spec.patience
    }

    fn max_head_age(&self) -> Span {
        self.spec.max_head_age
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tip_is_bound_by_the_base_fee_and_by_the_chain() {
        let gwei = |tenths: u128| tenths * 100_000_000;
        for (asked, base, most, paid) in [
            // Usual: 1 gwei on Ethereum, a fraction on an L2.
            (gwei(10), gwei(5), gwei(50), gwei(10)),
            (1_000_000, 5_000_000, gwei(10), 1_000_000),
            // A lie of 45 gwei on an L2: a tenth of a gwei, or ten base fees, and never more than one gwei.
            (gwei(450), 5_000_000, gwei(10), gwei(1)),
            (gwei(450), 50_000_000, gwei(10), gwei(5)),
            (gwei(450), gwei(30), gwei(10), gwei(10)),
            (u128::MAX, u128::MAX, gwei(10), gwei(10)),
        ] {
            assert_eq!(tip_within(asked, base, most), paid, "{asked} {base} {most}");
        }
    }
}
