//! Who used a nonce: laws 7 and 12. Nothing is concluded without the hash that used it, read from its block.

use std::time::Duration;

use tracing::{error, info, warn};

use crate::engine::{
    core::Engine,
    error::EngineError,
    progress::{BLOCKED_INTERVALS, Progress},
};
use crate::{
    domain::{
        job::{Account, Realm},
        onchain::NonceUse,
    },
    ports::Market,
    store::{
        StoreError, adoption, foreign, gaps,
        jobs::Job,
        signers::{self, SignerState},
        trades::Trade,
    },
    telemetry::job_line,
};

/// How long after a first look that found a gap a second one is made: longer than an answer of the chain is kept.
const SECOND_LOOK: Duration = Duration::from_millis(500);

impl Engine {
    /// A nonce is used, and none of our hashes explains it. A foreign hash with enough confirmations is recorded and
    /// halts the signer; anything less changes nothing.
    pub(in crate::engine) async fn investigate(
        &self,
        job: &Job,
        trade: &Trade,
        market: &Market,
        index: usize,
    ) -> Result<Progress, EngineError> {
        let Some(transaction) = trade.state.transactions.get(index) else {
            return Ok(Progress::Waiting);
        };
        let nonce = transaction.nonce;
        let Some(used) = market.chain.nonce_use(job.account.wallet, nonce).await? else {
            let note =
                format!("nonce {nonce} is used, but the block that holds it was not found; looking on");
            return self.look_later(trade.id, BLOCKED_INTERVALS, Some(&note)).await;
        };
        // Asked now: another worker may have recorded, sent and seen mined a replacement since the trade was read.
        if foreign::is_ours(&self.pool, used.hash).await? {
            return self.look_later(trade.id, 1, None).await;
        }
        let depth = market.chain.agreed_head().await?.depth(used.block_number);
        if depth < market.chain.patience().required_depth {
            let note = format!("{}; waiting until that is final", foreign_use(nonce, &used));
            return self.look_later(trade.id, 1, Some(&note)).await;
        }
        let reason = used_elsewhere(nonce, &used);
        job_line!(error, job, trade = trade.id.0, wallet = %job.account.wallet, reason, "signer halted");
        foreign::record(
            &self.pool,
            &job.account,
            nonce,
            &used,
            Some(trade.id),
            Some(&reason),
        )
        .await?;
        Ok(Progress::Stepped)
    }

    /// The signer's counter, compared with the chain's. `None`: the wallet is new to us and busy elsewhere.
    pub(in crate::engine) async fn counter(
        &self,
        account: &Account,
        market: &Market,
    ) -> Result<Option<SignerState>, EngineError> {
        let known = signers::find(&self.pool, account).await?;
        self.counter_since(account, market, known).await
    }

    /// The same for a counter that was read before: if it has grown since, that is seen.
    pub(in crate::engine) async fn counter_since(
        &self,
        account: &Account,
        market: &Market,
        known: Option<SignerState>,
    ) -> Result<Option<SignerState>, EngineError> {
        let nonces = market.chain.nonces(account.wallet).await?;
        let known = match known {
            Some(known) => known,
            None => self.unheard_of(account, nonces.latest).await?,
        };
        if known.next_nonce == 0 && nonces.pending > nonces.latest {
            return Ok(None);
        }
        if nonces.latest <= known.next_nonce {
            return self
                .never_on_chain(account, market, known, nonces.latest)
                .await
                .map(Some);
        }
        // Ours may just have grown under us: only a counter that is still behind proves anything.
        let again = signers::find(&self.pool, account).await?.unwrap_or(known);
        if nonces.latest <= again.next_nonce || again.halted.is_some() {
            return Ok(Some(again));
        }
        let reason = self
            .behind(account, market, again.next_nonce, nonces.latest)
            .await?;
        error!(realm = %account.realm, chain = account.chain, wallet = %account.wallet, reason, "signer halted");
        Ok(Some(SignerState {
            halted: Some(reason),
            ..again
        }))
    }

    /// A signer without a counter in this database: `start` writes one, so the database was changed since, or made by
    /// an older version. The counter begins at zero, and the signer is halted if the chain's is higher: the
    /// past of a wallet is for its owner to accept. On paper the venue's records are a part of the database.
    async fn unheard_of(&self, account: &Account, chain: u64) -> Result<SignerState, EngineError> {
        let first = match account.realm {
            Realm::Live => 0,
            Realm::Paper => chain,
        };
        adoption::register(&self.pool, account, first).await?;
        let known = signers::find(&self.pool, account).await?;
        Ok(known.ok_or(StoreError::Database(sqlx::Error::RowNotFound))?)
    }

    /// Every nonce between the chain's count and ours belongs to a transaction on record. One that does not was never
    /// given out: a node lied about the first nonce, and nothing behind the gap is ever mined.
    async fn never_on_chain(
        &self,
        account: &Account,
        market: &Market,
        known: SignerState,
        chain: u64,
    ) -> Result<SignerState, EngineError> {
        if known.halted.is_some() || chain >= known.next_nonce {
            return Ok(known);
        }
        if gaps::unexplained(&self.pool, account, chain).await? == 0 {
            return Ok(known);
        }
        // A node may lag behind for a moment; the chain is read after the ledger, so that the chain is never the older
        // of the two.
        tokio::time::sleep(SECOND_LOOK).await;
        let chain = market.chain.nonces(account.wallet).await?.latest;
        let missing = gaps::unexplained(&self.pool, account, chain).await?;
        if missing == 0 {
            return Ok(known);
        }
        let reason = format!(
            "the chain's next nonce is {chain}, ours is {}, and {missing} nonces between them were never given out: \
             nothing behind them can be mined. Nothing is signed until `lgi-mm reconcile` has been run",
            known.next_nonce
        );
        error!(realm = %account.realm, chain = account.chain, wallet = %account.wallet, reason, "signer halted");
        signers::halt(&self.pool, account, &reason).await?;
        Ok(SignerState {
            halted: Some(reason),
            ..known
        })
    }

    /// Halts a signer whose count on the chain is ahead of ours, and says who used the first nonce that we have
    /// not given out. A transaction that this database does not know is foreign, or was ours before the
    /// database was restored: its hash and block are named, because only its owner can tell.
    async fn behind(
        &self,
        account: &Account,
        market: &Market,
        ours: u64,
        chain: u64,
    ) -> Result<String, EngineError> {
        const ADVICE: &str = "Nothing is signed until `lgi-mm reconcile` has been run";
        if ours == 0 {
            // All of its past is unknown, and may be long.
            let reason = format!(
                "wallet {wallet} has made {chain} transactions, and this database knows none of them: it is older than the \
                 chain (a restored or replaced database?), or the wallet was used elsewhere before. Nothing is signed until \
                 its past is accepted: `lgi-mm reconcile` names it, `lgi-mm reconcile --adopt {wallet} --chain {name}` \
                 accepts it",
                wallet = account.wallet,
                name = account.chain,
            );
            signers::halt(&self.pool, account, &reason).await?;
            return Ok(reason);
        }
        let older = format!(
            "the chain has used nonces up to {}, this database has only given out those below {ours}",
            chain.saturating_sub(1)
        );
        let used = match market.chain.nonce_use(account.wallet, ours).await {
            Ok(used) => used,
            Err(error) => {
                warn!(realm = %account.realm, chain = account.chain, wallet = %account.wallet, %error, "who used the nonce could not be asked");
                None
            }
        };
        let Some(used) = used else {
            let reason = format!(
                "{older}: it is older than the chain (a restored backup?), or this key is used elsewhere. {ADVICE}"
            );
            signers::halt(&self.pool, account, &reason).await?;
            return Ok(reason);
        };
        if foreign::is_ours(&self.pool, used.hash).await? {
            let reason = format!(
                "{older}, though {} is on record as ours: its counter is older than the chain. {ADVICE}",
                foreign_use(ours, &used)
            );
            signers::halt(&self.pool, account, &reason).await?;
            return Ok(reason);
        }
        let reason = format!(
            "{}, and this database does not know it: this key is used elsewhere, or the database is older than \
             the chain (a restored backup?). {ADVICE}",
            foreign_use(ours, &used)
        );
        foreign::record(&self.pool, account, ours, &used, None, Some(&reason)).await?;
        Ok(reason)
    }

    /// Compares a signer's count with the chain's, as is done before every allocation.
    ///
    /// # Errors
    /// [`EngineError`] if either cannot be read.
    pub async fn check_signer(&self, account: &Account) -> Result<(), EngineError> {
        let market = self.markets.market(account).await?;
        if account.realm == Realm::Paper && signers::find(&self.pool, account).await?.is_none() {
            return Ok(());
        }
        if let Some(SignerState {
            halted: Some(reason), ..
        }) = self.counter(account, &market).await?
        {
            info!(realm = %account.realm, chain = account.chain, wallet = %account.wallet, reason, "the signer is halted");
        }
        Ok(())
    }
}

/// Why a signer halts whose nonce was used by a transaction that is not ours.
pub(in crate::engine) fn used_elsewhere(nonce: u64, used: &NonceUse) -> String {
    format!(
        "{}: this key is used elsewhere. Nothing is signed until `lgi-mm reconcile` has been run",
        foreign_use(nonce, used)
    )
}

/// Who, where and what, for people.
pub(in crate::engine) fn foreign_use(nonce: u64, used: &NonceUse) -> String {
    format!(
        "transaction {} in block {} used nonce {nonce}",
        used.hash, used.block_number
    )
}
