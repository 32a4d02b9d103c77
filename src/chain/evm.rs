//! The `Chain` port over JSON-RPC.

mod agreed;
mod fees;
mod payment;
mod state;

use std::{sync::PoisonError, time::Duration};

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use state::EvmChain;

use super::{
    error::CallError,
    foreign_use::used_by,
    lookup::{Contradiction, Expected, Scope, Wanted, look_up},
    quorum::{Verdict, agree, names},
    receipts::RawBlock,
    send::{broadcast, broadcast_twice},
};
use crate::{
    domain::{
        foreign::Foreign,
        onchain::{
            Around, Asset, Call, Fees, Head, Lookup, NonceUse, Nonces, Sent, SignedTransaction, UsdPrice,
        },
        span::Span,
        trade::Patience,
        units::{Amount, Price},
    },
    ports::{Chain, QuoteError, RpcError, SendError},
};

/// `balanceOf(address)`.
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];

/// How long a contradiction between nodes blocks new trades on the chain.
const DISAGREED_FOR: Duration = Duration::from_secs(60);

impl EvmChain {
    /// The price of an asset that needs no feed; `None`: the native coin or its wrapped form.
    fn par(&self, asset: Asset) -> Result<Option<UsdPrice>, RpcError> {
        match asset {
            Asset::Token(token) if token == self.spec.usdc => Ok(Some(UsdPrice {
                price: Price::ONE,
                source: "par",
                at: chrono::Utc::now(),
            })),
            Asset::Token(token) if token != self.spec.wrapped_native => Err(RpcError {
                endpoint: self.spec.name.clone(),
                detail: format!("{token} is neither USDC nor the native coin: it has no price"),
            }),
            Asset::Native | Asset::Token(_) => Ok(None),
        }
    }

    fn nonsense(&self, what: &str, error: impl ToString) -> RpcError {
        RpcError {
            endpoint: self.spec.name.clone(),
            detail: format!("{what}: invalid answer: {}", Foreign::new(&error.to_string())),
        }
    }

    fn read<T: DeserializeOwned>(&self, what: &str, answer: Result<Value, CallError>) -> Result<T, RpcError> {
        let value = answer.map_err(CallError::into_rpc)?;
        serde_json::from_value(value).map_err(|error| self.nonsense(what, error))
    }

    /// The quorum's answer to `wanted`. Contradictions are counted and kept for a while.
    async fn look_up(&self, wanted: &[Wanted]) -> Vec<Result<Lookup, RpcError>> {
        if wanted.is_empty() {
            return vec![];
        }
        let scope = Scope {
            chain: &self.spec.name,
            wrapped_native: self.spec.wrapped_native,
            required_depth: self.spec.patience.required_depth,
            heights: &self.heights,
        };
        let found = look_up(&self.rpc, &scope, wanted).await;
        for contradiction in found.contradictions {
            self.disagree(contradiction);
        }
        found.answers
    }

    fn read_balance(&self, answer: Result<Value, CallError>) -> Result<Amount, RpcError> {
        let bytes: Value = self.read("balance", answer)?;
        let text = bytes.as_str().unwrap_or_default();
        let units: U256 = text.parse().map_err(|error| self.nonsense("balance", error))?;
        Ok(Amount::new(units))
    }
}

#[async_trait]
impl Chain for EvmChain {
    async fn head(&self) -> Result<Head, RpcError> {
        Ok(self.heads().await?.best)
    }

    async fn agreed_head(&self) -> Result<Head, RpcError> {
        self.heads().await?.agreed
    }

    async fn nonces(&self, signer: Address) -> Result<Nonces, RpcError> {
        let fresh = self.nonces.lock().await.entry(signer).or_default().clone();
        fresh.get(|| self.ask_nonces(signer)).await
    }

    async fn fees(&self) -> Result<Fees, RpcError> {
        self.fees.get(|| self.ask_fees()).await
    }

    async fn balances(&self, wallet: Address, assets: &[Asset]) -> Result<Vec<Amount>, RpcError> {
        let requests: Vec<_> = assets
            .iter()
            .map(|asset| balance_request(wallet, asset, json!("latest")))
            .collect();
        let answers = self.rpc.batch(&requests).await?;
        answers
            .into_iter()
            .map(|answer| self.read_balance(answer))
            .collect()
    }

    async fn attested_balance(&self, wallet: Address, asset: Asset) -> Result<Amount, RpcError> {
        self.agreed_balance(wallet, asset).await
    }

    async fn usd_price(&self, asset: Asset) -> Result<UsdPrice, RpcError> {
        match self.par(asset)? {
            Some(par) => Ok(par),
            None => self.native.native_usd().await,
        }
    }

    fn has_usd_price(&self, asset: Asset) -> bool {
        self.par(asset).is_ok()
    }

    fn wrapped_native(&self) -> Option<Address> {
        Some(self.spec.wrapped_native)
    }

    async fn usd_price_at(&self, asset: Asset, block: u64) -> Result<UsdPrice, RpcError> {
        match self.par(asset)? {
            Some(par) => Ok(par),
            None => self.native.native_usd_at(block).await,
        }
    }

    async fn gas_of(&self, wallet: Address, call: &Call) -> Result<(u64, Amount), QuoteError> {
        payment::gas_of(&self.rpc, &self.spec, wallet, call).await
    }

    /// Sent to all nodes at once: one node cannot withhold the bytes.
    async fn send(&self, raw: &Bytes) -> Result<Sent, SendError> {
        let door = self.private.as_ref().unwrap_or(&self.rpc);
        broadcast(door, raw).await
    }

    async fn send_cancel(&self, raw: &Bytes) -> Result<Sent, SendError> {
        match &self.private {
            Some(relay) if self.spec.private.as_ref().is_some_and(|flow| flow.fallback) => {
                broadcast_twice(relay, &self.rpc, raw).await
            }
            _ => self.send(raw).await,
        }
    }

    async fn lookup(&self, hashes: &[B256]) -> Vec<Result<Lookup, RpcError>> {
        let wanted: Vec<Wanted> = hashes.iter().map(|hash| (*hash, None)).collect();
        self.look_up(&wanted).await
    }

    async fn lookup_signed(&self, signed: &[SignedTransaction]) -> Vec<Result<Lookup, RpcError>> {
        let expected: Vec<Result<Wanted, String>> = signed
            .iter()
            .map(|signed| Ok((signed.hash, Some(Expected::of(signed.hash, &signed.raw)?))))
            .collect();
        let wanted: Vec<Wanted> = expected.iter().flatten().copied().collect();
        let mut answers = self.look_up(&wanted).await.into_iter();
        let answer = |expected: Result<Wanted, String>| match expected {
            Ok(_) => answers.next().unwrap_or_else(|| Err(self.too_few("the look-up"))),
            Err(detail) => Err(RpcError {
                endpoint: self.spec.name.clone(),
                detail,
            }),
        };
        expected.into_iter().map(answer).collect()
    }

    async fn first_nonce(&self, signer: Address) -> Result<Option<u64>, RpcError> {
        let said = self.each_nonces(signer).await;
        let counts = said
            .iter()
            .filter_map(|(voice, nonces)| Some((voice.host().to_owned(), *nonces.as_ref().ok()?)));
        match agree(counts, self.rpc.quorum()) {
            Verdict::Agreed { said, .. } => Ok((said.pending == said.latest).then_some(said.latest)),
            Verdict::TooFew(_) => Err(self.too_few("the wallet's first nonce")),
            Verdict::Split(camps) => {
                let camps = camps
                    .iter()
                    .map(|(nonces, by)| format!("{} by {}", nonces.latest, names(by)));
                let what = format!(
                    "nodes disagree about the first nonce of {signer}: {}",
                    camps.collect::<Vec<_>>().join(", ")
                );
                self.disagree(Contradiction {
                    what: what.clone(),
                    settled: false,
                });
                Err(RpcError {
                    endpoint: self.spec.name.clone(),
                    detail: what,
                })
            }
        }
    }

    async fn nonce_use(&self, signer: Address, nonce: u64) -> Result<Option<NonceUse>, RpcError> {
        let said = self
            .rpc
            .each(|voice| async move { used_by(&voice, signer, nonce).await })
            .await;
        let uses = said
            .iter()
            .filter_map(|(voice, used)| Some((voice.host().to_owned(), (*used.as_ref().ok()?)?)));
        match agree(uses, self.rpc.quorum()) {
            Verdict::Agreed { said, .. } => Ok(Some(said)),
            Verdict::Split(_) => {
                self.disagree(Contradiction {
                    what: format!("nodes disagree about who used nonce {nonce} of {signer}"),
                    settled: false,
                });
                Ok(None)
            }
            Verdict::TooFew(_) => match said.into_iter().find_map(|(_, used)| used.err()) {
                Some(error) if self.rpc.quorum() == 1 => Err(error),
                _ => Ok(None),
            },
        }
    }

    /// Without a finalized block, fills stay watched.
    async fn finalized(&self) -> Result<u64, RpcError> {
        let said = self
            .rpc
            .each(|voice| async move {
                let block: Option<RawBlock> = voice
                    .request("eth_getBlockByNumber", json!(["finalized", false]))
                    .await?;
                Ok(block.map_or(0, |block| block.number.to::<u64>()))
            })
            .await;
        self.reached("the final block", &said, |number| *number)
    }

    /// A receipt that several nodes agree on needs no further proof. A single node's receipt is checked against the
    /// balances after the block.
    async fn balance_around(&self, wallet: Address, asset: Asset, block: u64) -> Result<Around, RpcError> {
        if self.rpc.quorum() > 1 {
            return Ok(Around::Agreed);
        }
        let Some(before) = block.checked_sub(1) else {
            return Ok(Around::Unproven);
        };
        let requests =
            [before, block].map(|number| balance_request(wallet, &asset, json!(U64::from(number))));
        let answers = self.rpc.batch(&requests).await?;
        let mut read = answers.into_iter().map(|answer| self.read_balance(answer));
        // A node that has pruned this state refuses; that proves nothing.
        Ok(match (read.next(), read.next()) {
            (Some(Ok(before)), Some(Ok(after))) => Around::Seen { before, after },
            _ => Around::Unproven,
        })
    }

    async fn disagreement(&self) -> Option<String> {
        if let Err(error) = self.agreed_head().await {
            return Some(error.to_string());
        }
        let last = self.disagreement.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.as_ref().filter(|(at, _)| at.elapsed() < DISAGREED_FOR);
        last.map(|(_, what)| what.clone())
    }

    fn decides_alone(&self) -> bool {
        self.rpc.quorum() == 1
    }

    fn patience(&self) -> Patience {
        self.spec.patience
    }

    fn block_time(&self) -> Option<Span> {
        self.spec.block_time
    }

    fn max_head_age(&self) -> Span {
        self.spec.max_head_age
    }
}

fn balance_request(wallet: Address, asset: &Asset, block: Value) -> (&'static str, Value) {
    match asset {
        Asset::Native => ("eth_getBalance", json!([wallet, block])),
        Asset::Token(token) => {
            let data: Bytes = [&BALANCE_OF[..], wallet.into_word().as_slice()].concat().into();
            ("eth_call", json!([{ "to": token, "data": data }, block]))
        }
    }
}
