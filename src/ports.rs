//! What the engine needs from the world: prices, a venue that quotes, a chain that settles, a signer.
//!
//! Errors may contain text from outside: each displays it sanitized, as [`Foreign`] does.
//!
//! The paper venue and a live chain implement the same traits; nothing above this file knows which it drives.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes};
use async_trait::async_trait;

use crate::domain::{
    Timestamp,
    config::{PriceConfig, SourceName},
    foreign::Foreign,
    job::Account,
    onchain::{
        AnswerKind, Around, Asset, Call, Fees, Head, Lookup, NonceUse, Nonces, Quote, Sent,
        SignedTransaction, SwapRequest, UnsignedTransaction, UsdPrice,
    },
    pool::Pool,
    price::Answer,
    referees::{RefereeName, Said},
    span::Span,
    trade::{Patience, Purpose},
    units::Amount,
};

/// One job's wish for prices.
#[derive(Debug, Clone, Copy)]
pub struct PriceRequest<'a> {
    /// Chain name.
    pub chain: &'a str,
    /// The token to price.
    pub token: Address,
    /// What the token is traded against; [`crate::domain::pool::NATIVE`] for the coin itself.
    pub quote: Address,
    /// The pool that the job has pinned.
    pub pool: Option<Pool>,
    /// Digits of the token as the job was started with them; `None`: not compared with the contract.
    pub decimals: Option<u8>,
    /// Sources in order, and their parameters.
    pub config: &'a PriceConfig,
}

/// Prices for many jobs at once.
#[async_trait]
pub trait Prices: Send + Sync {
    /// For each request, one answer per configured source, in the configured order. Each source is asked
    /// once for all requests that share it; one failing source or token harms no other.
    async fn answers(&self, requests: &[PriceRequest<'_>], now: Timestamp) -> Vec<Vec<Answer>>;

    /// What single nodes of the request's chain say of its first source, each asked by itself: where the
    /// chain is all that is asked, two of them must say the same before a first price is believed, or one is sold on.
    async fn witnesses(&self, _request: &PriceRequest<'_>) -> Witnesses {
        Witnesses::NotNeeded
    }
}

/// Who else says what a token is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Witnesses {
    /// No real money is at stake: the chain is none of the table, or nothing outside is asked.
    NotNeeded,
    /// One answer of each node; none if there are fewer than two nodes.
    Said(Vec<Answer>),
}

/// A swap that referees are asked about.
#[derive(Debug, Clone, Copy)]
pub struct RefereeSwap<'a> {
    /// Chain name.
    pub chain: &'a str,
    /// What goes out; zero: the native coin.
    pub token_in: Address,
    /// What comes in; zero: the native coin.
    pub token_out: Address,
    /// Digits of both.
    pub decimals: (u8, u8),
    /// How much goes out, base units.
    pub amount_in: Amount,
}

/// Aggregators that say what a swap would pay elsewhere.
#[async_trait]
pub trait Referees: Send + Sync {
    /// What each of `names` says of `swap`, in the order given; all are asked at once.
    async fn ask(&self, names: &[RefereeName], swap: &RefereeSwap<'_>) -> Vec<Said>;
}

/// One price that a chain's own pools know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolPriceRequest {
    /// The token to price; [`crate::domain::pool::NATIVE`] for the coin itself.
    pub token: Address,
    /// What it is traded against.
    pub quote: Address,
    /// The pool to look at; none: the best.
    pub pool: Option<Pool>,
    /// Digits that the token's contract must report; `None`: any.
    pub decimals: Option<u8>,
    /// [`SourceName::Onchain`] for the price now, [`SourceName::Twap`] for the mean of ten minutes.
    pub source: SourceName,
}

/// Prices of one chain, from its pools.
#[async_trait]
pub trait PoolPrices: Send + Sync {
    /// One answer for each request, in their order; equal requests are read once.
    async fn pool_prices(&self, requests: &[PoolPriceRequest]) -> Vec<Answer>;
}

/// Why there is no quote.
#[derive(Debug, thiserror::Error)]
pub enum QuoteError {
    /// No pool trades this pair, or none can fill this amount.
    #[error("no pool can fill this swap: {}", Foreign::new(.0))]
    NoLiquidity(String),
    /// The swap reverts on the chain's state of now.
    #[error("the swap reverts when simulated: {}", Foreign::new(.0))]
    Reverts(String),
    /// The buy works, and what is held after it cannot be sold, or only at a loss.
    #[error("it could not be sold after this buy: {}", Foreign::new(.0))]
    Unsellable(String),
    /// The venue gives more than the accepted price implies: one of the two is wrong.
    #[error("{}", Foreign::new(.0))]
    Disagrees(String),
    /// A contract reports other digits than the job was started with.
    #[error("{}", Foreign::new(.0))]
    DecimalsChanged(String),
    /// The venue could not be asked.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

/// Turns plans into calldata.
#[async_trait]
pub trait Venue: Send + Sync {
    /// What the swap would do now. Sends nothing.
    async fn quote(&self, request: &SwapRequest) -> Result<Quote, QuoteError>;

    /// The calls that do it, bound to a minimum output and a deadline in block time.
    async fn calls(
        &self,
        request: &SwapRequest,
        amount_out_min: Amount,
        deadline: Timestamp,
    ) -> Result<Vec<Call>, QuoteError>;

    /// A swap that it made calls for was mined and reverted.
    async fn reverted(&self, _token_in: Address, _token_out: Address) {}
}

/// A request that got no usable answer. It proves nothing about what the node did.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{endpoint}: {}", Foreign::new(detail))]
pub struct RpcError {
    /// Who was asked, without credentials.
    pub endpoint: String,
    /// What happened, for people.
    pub detail: String,
}

/// Why bytes were not taken. No variant frees a nonce.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SendError {
    /// The nonce is used; one of our hashes may be the one that used it.
    #[error("nonce too low")]
    NonceTooLow,
    /// A pooled transaction on this nonce pays more.
    #[error("replacement transaction underpriced")]
    Underpriced,
    /// The wallet cannot pay gas and value.
    #[error("insufficient funds for gas and value")]
    InsufficientFunds,
    /// Refused for a reason that a retry will not fix.
    #[error("rejected: {}", Foreign::new(.0))]
    Rejected(String),
    /// No answer, or one nobody knows: the bytes may have been taken.
    #[error("ambiguous: {0}")]
    Ambiguous(#[source] RpcError),
}

impl SendError {
    /// What the program acts on, without the node's words.
    #[must_use]
    pub const fn kind(&self) -> AnswerKind {
        match self {
            Self::NonceTooLow => AnswerKind::NonceTooLow,
            Self::Underpriced => AnswerKind::Underpriced,
            Self::InsufficientFunds => AnswerKind::InsufficientFunds,
            Self::Rejected(_) => AnswerKind::Rejected,
            Self::Ambiguous(_) => AnswerKind::Ambiguous,
        }
    }
}

/// Where transactions settle.
#[async_trait]
pub trait Chain: Send + Sync {
    /// The newest block.
    async fn head(&self) -> Result<Head, RpcError>;

    /// The newest block that enough nodes have reached: depths are counted from it. It may be older than
    /// [`Self::head`].
    async fn agreed_head(&self) -> Result<Head, RpcError> {
        self.head().await
    }

    /// How many transactions `signer` has made, as far as enough nodes say so.
    async fn nonces(&self, signer: Address) -> Result<Nonces, RpcError>;

    /// The nonce of a signer that was never used from here; `None`: transactions of it are pending. Nodes must agree on
    /// it to the letter: a lie would stay in the ledger.
    async fn first_nonce(&self, signer: Address) -> Result<Option<u64>, RpcError> {
        let nonces = self.nonces(signer).await?;
        Ok((nonces.pending == nonces.latest).then_some(nonces.latest))
    }

    /// Balances of `wallet`, in the order asked.
    async fn balances(&self, wallet: Address, assets: &[Asset]) -> Result<Vec<Amount>, RpcError>;

    /// The most of an asset that enough nodes of different hosts say `wallet` holds, base units, where a single node
    /// that invents tokens must not be believed.
    async fn attested_balance(&self, wallet: Address, asset: Asset) -> Result<Amount, RpcError> {
        let balances = self.balances(wallet, &[asset]).await?;
        Ok(balances.first().copied().unwrap_or(Amount::ZERO))
    }

    /// Fees that get a transaction mined soon. More than [`Patience::max_fee_per_gas`] means that nothing may be
    /// signed now.
    async fn fees(&self) -> Result<Fees, RpcError>;

    /// What a coin or token that pays for trades is worth: the native coin, its wrapped form, or USDC.
    async fn usd_price(&self, asset: Asset) -> Result<UsdPrice, RpcError>;

    /// Whether [`Self::usd_price`] knows what this is.
    fn has_usd_price(&self, _asset: Asset) -> bool {
        true
    }

    /// The same as the chain knew it in `block`. Nodes forget the state of old blocks; then this is an error.
    async fn usd_price_at(&self, asset: Asset, block: u64) -> Result<UsdPrice, RpcError>;

    /// The token that is the native coin in another form; `None`: there is none. A wallet whose code refuses coins is
    /// paid in it.
    fn wrapped_native(&self) -> Option<Address> {
        None
    }

    /// What a call of `wallet` would use: gas with a margin, units, and what an L2 takes for its data, wei.
    async fn gas_of(&self, _wallet: Address, call: &Call) -> Result<(u64, Amount), QuoteError> {
        Ok((call.gas_limit, Amount::ZERO))
    }

    /// Hands stored bytes to a node. Sending the same bytes again is always safe.
    async fn send(&self, raw: &Bytes) -> Result<Sent, SendError>;

    /// Hands over the stored bytes of a cancel that [`Self::send`] has not got into a block. Where transactions go to a
    /// private relay, its owner may let this one go to the public nodes as well: it says nothing about a trade.
    async fn send_cancel(&self, raw: &Bytes) -> Result<Sent, SendError> {
        self.send(raw).await
    }

    /// What is known of each hash, in the order asked.
    async fn lookup(&self, hashes: &[B256]) -> Vec<Result<Lookup, RpcError>>;

    /// The same for bytes that we signed: an answer that does not fit them is the nonsense of its node, and an error.
    async fn lookup_signed(&self, signed: &[SignedTransaction]) -> Vec<Result<Lookup, RpcError>> {
        let hashes: Vec<B256> = signed.iter().map(|signed| signed.hash).collect();
        self.lookup(&hashes).await
    }

    /// What `block` did to a balance of `wallet`, where a receipt is the word of a single node.
    async fn balance_around(&self, _wallet: Address, _asset: Asset, _block: u64) -> Result<Around, RpcError> {
        Ok(Around::Agreed)
    }

    /// A recent contradiction between nodes, or that too few of them answer; no trade is started on this chain
    /// meanwhile.
    async fn disagreement(&self) -> Option<String> {
        None
    }

    /// Whether one node decides what happened, because no other is asked.
    fn decides_alone(&self) -> bool {
        false
    }

    /// Which transaction of `signer` used `nonce`; `None`: the block that holds it was not found.
    async fn nonce_use(&self, signer: Address, nonce: u64) -> Result<Option<NonceUse>, RpcError>;

    /// The newest block that cannot be reorged out.
    async fn finalized(&self) -> Result<u64, RpcError>;

    /// How patient this chain is.
    fn patience(&self) -> Patience;

    /// The time between two blocks; `None`: not known, or too short to plan by.
    fn block_time(&self) -> Option<Span> {
        None
    }

    /// A newest block older than this means that the chain has halted, or that the nodes are behind.
    fn max_head_age(&self) -> Span;
}

/// The key could not be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot sign for {address}: {detail}")]
pub struct SignError {
    /// Address of the key.
    pub address: Address,
    /// What happened, without secrets.
    pub detail: String,
}

/// Holds a key.
#[async_trait]
pub trait Signer: Send + Sync {
    /// Address of the key.
    fn address(&self) -> Address;

    /// Signs. The same input may give other bytes each time: only recorded bytes are sent.
    async fn sign(&self, transaction: &UnsignedTransaction) -> Result<SignedTransaction, SignError>;

    /// Whether this signer would sign such a swap, as far as that is known before there is calldata.
    ///
    /// # Errors
    /// [`SignError`] says what forbids it.
    async fn permits(&self, request: &SwapRequest) -> Result<(), SignError> {
        let _ = request;
        Ok(())
    }

    /// Whether this signer would sign a payment of `asset` (zero: the native coin) to `to`.
    ///
    /// # Errors
    /// [`SignError`] says what forbids it.
    async fn permits_payment(&self, asset: Address, to: Address) -> Result<(), SignError> {
        let _ = (asset, to);
        Ok(())
    }

    /// The call inside bytes that this signer signed for `nonce`, so that a replacement does exactly the same. What
    /// is stored is not believed: the bytes must have the hash they are stored under, and do what the row says.
    ///
    /// # Errors
    /// [`SignError`] if the bytes are none of its own, or of another nonce, hash or purpose.
    fn call_of(&self, attempt: &SignedTransaction, nonce: u64, purpose: Purpose) -> Result<Call, SignError>;
}

/// All that a job's account trades through.
#[derive(Clone)]
pub struct Market {
    /// Settles.
    pub chain: Arc<dyn Chain>,
    /// Quotes.
    pub venue: Arc<dyn Venue>,
    /// Signs.
    pub signer: Arc<dyn Signer>,
}

/// An account that this process cannot trade for.
#[derive(Debug, thiserror::Error)]
#[error("no market for {realm} {chain} {wallet}: {detail}", realm = account.realm, chain = account.chain, wallet = account.wallet)]
pub struct NoMarket {
    /// The account.
    pub account: Account,
    /// What kind of thing is missing.
    pub missing: Missing,
    /// What is missing and what to do.
    pub detail: String,
}

/// Which part of a market cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nobody can be asked about the chain, or the venue is not there.
    Chain,
    /// The wallet's key does not open.
    Key,
}

/// Finds the market of an account.
#[async_trait]
pub trait Markets: Send + Sync {
    /// The market, ready to use.
    async fn market(&self, account: &Account) -> Result<Market, NoMarket>;
}
