//! A signer that checks the policy first, for every kind of key.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use alloy_primitives::{Address, U256, keccak256};
use async_trait::async_trait;
use metrics::counter;
use strum::VariantArray;
use tracing::warn;

use super::{
    appraiser::{Appraiser, Worth},
    book::PolicyBook,
    check::{self, Way},
    file::Entry,
    journal::{self, Signed},
    model::{Intent, Payment, Swap},
    refusal::{Reason, Refusal},
};
use crate::{
    domain::{
        onchain::{Call, SignedTransaction, SwapRequest, UnsignedTransaction},
        trade::Purpose,
        units::Price,
    },
    ports::{SignError, Signer},
    telemetry::metric,
};

/// How long the last native price is used while none can be read.
const REMEMBERED: Duration = Duration::from_secs(3_600);

/// Signs what the policy allows.
pub(in crate::chain) struct PolicySigner {
    inner: Arc<dyn Signer>,
    book: Arc<PolicyBook>,
    chain: String,
    chain_id: u64,
    appraiser: Arc<dyn Appraiser>,
    native: Mutex<Option<(Price, Instant)>>,
}

/// An examined transaction.
struct Examined {
    entry: Entry,
    /// Entry to record before signing.
    signed: Option<Signed>,
}

impl PolicySigner {
    /// Wraps `inner`, which signs for the chain with this name and id.
    pub(in crate::chain) fn new(
        inner: Arc<dyn Signer>,
        book: Arc<PolicyBook>,
        chain: String,
        chain_id: u64,
        appraiser: Arc<dyn Appraiser>,
    ) -> Self {
        // Export zeros first: a counter that first appears at one shows no increase.
        for reason in Reason::VARIANTS {
            let reason: &'static str = reason.into();
            counter!(metric::POLICY_REFUSALS, "chain" => chain.clone(), "reason" => reason).increment(0);
        }
        Self {
            inner,
            book,
            chain,
            chain_id,
            appraiser,
            native: Mutex::default(),
        }
    }

    /// The entry of this wallet, from the current file.
    fn entry(&self) -> Result<Entry, Refusal> {
        let entry = self.book.policy()?.find(&self.chain, self.inner.address())?;
        if entry.chain_id() != Some(self.chain_id) {
            let detail = format!(
                "the settings say that {} has chain id {}, the policy says {}",
                self.chain,
                self.chain_id,
                entry.chain_id().unwrap_or_default()
            );
            return Err(Refusal::new(Reason::Wallet, detail));
        }
        Ok(entry)
    }

    /// The native coin's price, or the last known one. A cancel uses the policy's minimum instead of waiting.
    async fn native(&self, entry: &Entry, intent: Option<&Intent>) -> Result<Price, Refusal> {
        let told = self.appraiser.native_usd().await;
        let mut kept = self.native.lock().unwrap_or_else(PoisonError::into_inner);
        match told {
            Ok(price) => {
                *kept = Some((price, Instant::now()));
                Ok(price)
            }
            Err(error) => match *kept {
                Some((price, at)) if at.elapsed() < REMEMBERED => Ok(price),
                _ if intent == Some(&Intent::Cancel) => Ok(entry.native_usd_min),
                _ => Err(Refusal::new(
                    Reason::Price,
                    format!("the native coin has no known price: {error}"),
                )),
            },
        }
    }

    async fn examine(&self, transaction: &UnsignedTransaction) -> Result<Examined, Refusal> {
        let entry = self.entry()?;
        let call = &transaction.call;
        let intent = Intent::read(call, self.inner.address(), &entry.contracts())?;
        if !intent.serves(call.purpose) {
            let detail = format!("its effect does not match its recorded purpose {}", call.purpose);
            return Err(Refusal::new(Reason::Shape, detail));
        }
        check::running(&entry, &intent)?;
        let native = self.native(&entry, Some(&intent)).await?;
        let cautious = native.max(entry.native_usd_min);
        check::gas(&entry, call.gas_limit, transaction.fees.max_fee_per_gas, cautious)?;
        let signed = match intent {
            Intent::Cancel => None,
            Intent::Allow(allow) => {
                check::allowance(&entry, &allow, cautious, journal::now())?;
                None
            }
            Intent::Pay(pay) => {
                check::payment(&entry, &pay)?;
                None
            }
            Intent::Swap(swap) => Some(self.swap(&entry, &swap, transaction, native).await?),
        };
        Ok(Examined { entry, signed })
    }

    async fn swap(
        &self,
        entry: &Entry,
        swap: &Swap,
        transaction: &UnsignedTransaction,
        native: Price,
    ) -> Result<Signed, Refusal> {
        let now = journal::now();
        let way = check::way(entry, swap.token_in, swap.token_out)?;
        check::timely(entry, swap, now)?;
        let usd = check::spends(entry, &way, swap.amount_in, native)?;
        let signed = Signed {
            at: now,
            chain: self.chain.clone(),
            wallet: self.inner.address(),
            nonce: transaction.nonce,
            usd,
            call: digest(&transaction.call),
        };
        // A replacement that only raises fees was checked when its call was first signed, whatever prices did since.
        if self
            .on_disk(signed.clone(), |book, signed| book.journal().knows(&signed))
            .await?
        {
            return Ok(signed);
        }
        check::trade(entry, usd)?;
        let worth = self.worth(swap, &way).await?;
        check::loss(entry, swap, &way, native, worth)?;
        Ok(signed)
    }

    async fn worth(&self, swap: &Swap, way: &Way) -> Result<Worth, Refusal> {
        let (token, quote) = match way {
            Way::Buy { token, .. } => (*token, swap.token_in),
            Way::Sell { token, .. } => (*token, swap.token_out),
        };
        let told = self.appraiser.token_usd(token, quote, swap.pool).await;
        told.map_err(|error| Refusal::new(Reason::Price, format!("{token} has no known price: {error}")))
    }

    /// File access blocks, so it runs off the async threads.
    async fn on_disk<T: Send + 'static>(
        &self,
        signed: Signed,
        act: impl FnOnce(&PolicyBook, Signed) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let book = self.book.clone();
        let done = tokio::task::spawn_blocking(move || act(&book, signed)).await;
        done.map_err(|error| Refusal::new(Reason::Journal, error.to_string()))?
    }

    fn refused(&self, refusal: &Refusal, when: &str) -> SignError {
        let reason: &'static str = refusal.reason.into();
        counter!(metric::POLICY_REFUSALS, "chain" => self.chain.clone(), "reason" => reason).increment(1);
        warn!(chain = self.chain, wallet = %self.inner.address(), reason, detail = refusal.detail, when, "the policy refuses");
        SignError {
            address: self.inner.address(),
            detail: refusal.to_string(),
        }
    }

    async fn would_sign(&self, request: &SwapRequest) -> Result<(), Refusal> {
        let entry = self.entry()?;
        check::running(&entry, &Intent::Swap(Swap::planned(request)))?;
        let way = check::way(&entry, request.token_in, request.token_out)?;
        if matches!(way, Way::Sell { .. }) {
            return Ok(());
        }
        let native = self.native(&entry, None).await?;
        let usd = check::spends(&entry, &way, request.amount_in.units(), native)?;
        check::trade(&entry, usd)?;
        let asked = Signed {
            at: journal::now(),
            chain: self.chain.clone(),
            wallet: self.inner.address(),
            nonce: 0,
            usd,
            call: keccak256([]),
        };
        self.on_disk(asked, move |book, asked| {
            let spent = book.spent(&asked.chain, asked.wallet, asked.at)?;
            journal::fits(&entry, spent, asked.usd)
        })
        .await
    }
}

impl PolicySigner {
    /// Whether a payment of `asset` to `to` would be signed.
    fn would_pay(&self, asset: Address, to: Address) -> Result<(), Refusal> {
        let entry = self.entry()?;
        let pay = Payment {
            asset,
            to,
            amount: U256::ONE,
        };
        check::running(&entry, &Intent::Pay(pay))?;
        check::payment(&entry, &pay)
    }
}

impl Swap {
    /// Checks a swap before its calldata exists.
    const fn planned(request: &SwapRequest) -> Self {
        Self {
            token_in: request.token_in,
            amount_in: request.amount_in.units(),
            token_out: request.token_out,
            amount_out_min: U256::ZERO,
            deadline: U256::ZERO,
            pool: request.pool,
        }
    }
}

/// Hash of a call, independent of its fees.
fn digest(call: &Call) -> alloy_primitives::B256 {
    let value: [u8; 32] = call.value.to_be_bytes();
    keccak256([call.to.as_slice(), &value, &call.data].concat())
}

#[async_trait]
impl Signer for PolicySigner {
    fn address(&self) -> Address {
        self.inner.address()
    }

    async fn sign(&self, transaction: &UnsignedTransaction) -> Result<SignedTransaction, SignError> {
        let examined = self.examine(transaction).await;
        let Examined { entry, signed } = examined.map_err(|refusal| self.refused(&refusal, "signing"))?;
        if let Some(signed) = signed {
            // Durable before the signature exists.
            let recorded = self
                .on_disk(signed, move |book, signed| book.journal().record(&entry, signed))
                .await;
            recorded.map_err(|refusal| self.refused(&refusal, "signing"))?;
        }
        self.inner.sign(transaction).await
    }

    async fn permits(&self, request: &SwapRequest) -> Result<(), SignError> {
        let allowed = self.would_sign(request).await;
        allowed.map_err(|refusal| self.refused(&refusal, "planning"))
    }

    async fn permits_payment(&self, asset: Address, to: Address) -> Result<(), SignError> {
        self.would_pay(asset, to)
            .map_err(|refusal| self.refused(&refusal, "planning"))
    }

    fn call_of(&self, attempt: &SignedTransaction, nonce: u64, purpose: Purpose) -> Result<Call, SignError> {
        self.inner.call_of(attempt, nonce, purpose)
    }
}
