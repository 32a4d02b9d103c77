//! Compares the ledger with the chain: differences, and repairs that the evidence allows.

use std::fmt;

use alloy_primitives::{Address, B256};
use serde::{Serialize, Serializer};
use serde_json::json;

use super::{
    actor::Actor,
    context::App,
    error::AppError,
    trail::{self, Action},
    whole::{Whole, checksum, shown},
};
use crate::{
    domain::{
        ids::{JobId, TradeId},
        job::Realm,
    },
    engine::reconcile::{BalanceRemedy, BalanceReport, Reconciliation, Remedy, SignerReport, UnknownNonce},
};

/// Result of the comparison.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// Signers, by account.
    pub signers: Vec<SignerView>,
    /// Balances, by account and token.
    pub balances: Vec<BalanceView>,
    /// Whether ledger and chain agree.
    pub agree: bool,
    /// Repairs that were made, one line each.
    pub done: Vec<String>,
    #[serde(skip)]
    report: Reconciliation,
}

/// A signer's nonces on both sides.
#[derive(Debug, Serialize)]
pub struct SignerView {
    /// On paper or live.
    #[serde(serialize_with = "shown")]
    pub realm: Realm,
    /// The chain.
    pub chain: String,
    /// The wallet.
    #[serde(serialize_with = "checksum")]
    pub wallet: Address,
    /// The ledger's next nonce.
    pub next_nonce: u64,
    /// The chain's next nonce; none: see `chain_error`.
    pub chain_nonce: Option<u64>,
    /// Why the chain's nonce is unknown.
    pub chain_error: Option<String>,
    /// Why the signer is halted.
    pub halted: Option<String>,
    /// Trades that are not final.
    pub open_trades: Vec<TradeId>,
    /// Nonces used on the chain that the ledger never assigned.
    pub unknown_nonces: Vec<NonceView>,
    /// The possible repair.
    pub repair: Option<SignerRepair>,
    /// Why nothing can be repaired now.
    pub blocked: Option<String>,
}

/// A nonce that the ledger never assigned.
#[derive(Debug, Serialize)]
pub struct NonceView {
    /// The nonce.
    pub nonce: u64,
    /// The transaction that used it; none: its block was not found.
    pub tx_hash: Option<B256>,
    /// That transaction's block.
    pub block: Option<u64>,
    /// Whether the hash is on record as ours.
    pub known: bool,
}

/// One token of a wallet on both sides.
#[derive(Debug, Serialize)]
pub struct BalanceView {
    /// On paper or live.
    #[serde(serialize_with = "shown")]
    pub realm: Realm,
    /// The chain.
    pub chain: String,
    /// The wallet.
    #[serde(serialize_with = "checksum")]
    pub wallet: Address,
    /// The token.
    pub symbol: String,
    /// Jobs that track it.
    pub jobs: Vec<JobId>,
    /// Sum of what they track.
    pub tracked: Whole,
    /// What the wallet holds; none: see `chain_error`.
    pub held: Option<Whole>,
    /// Shortfall of the wallet.
    pub missing: Option<Whole>,
    /// Surplus over what jobs track.
    pub beyond: Option<Whole>,
    /// A trade of the token failed or was reversed: the surplus may come from it.
    pub suspicious: bool,
    /// Why the chain's balance is unknown.
    pub chain_error: Option<String>,
    /// The possible repair.
    pub repair: Option<WriteDown>,
    /// Why nothing can be repaired now.
    pub blocked: Option<String>,
}

/// A repair of a signer; displayed as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerRepair {
    /// Advance the counter to this nonce.
    Advance(u64),
    /// Only lift the halt.
    Release,
    /// Set the counter back to `from`; nonces up to `to` were never on chain.
    ResetNonces {
        /// First nonce to assign again.
        from: u64,
        /// Last such nonce.
        to: u64,
        /// Open trades that will expire.
        trades: Vec<TradeId>,
    },
}

/// A repair that writes a job's position down to the wallet's balance; displayed as a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteDown(pub JobId);

/// Compares the ledger with the chain. It changes nothing, except that fills and failures that became final or were
/// reorged out since are recorded as such.
///
/// # Errors
/// [`AppError`] if the database fails. A chain that does not answer is part of the comparison.
pub async fn compare(app: &App) -> Result<Comparison, AppError> {
    Ok(Comparison::from(app.engine().await?.reconcile().await?))
}

/// Makes the listed repairs, unless the state has changed since. The audit row is written first.
///
/// # Errors
/// [`AppError`] if the database fails; earlier repairs are kept.
pub async fn repair(app: &App, seen: Comparison, actor: &Actor) -> Result<Comparison, AppError> {
    let repairs = seen.repairs();
    if !repairs.is_empty() {
        let detail = json!({ "repairs": repairs });
        trail::record(app, actor, Action::ReconcileApply, "ledger", detail).await?;
    }
    let engine = app.engine().await?;
    let done = engine.repair(&seen.report, actor.as_str()).await?;
    Ok(Comparison { done, ..seen })
}

impl Comparison {
    /// What [`repair`] would do, one line each.
    #[must_use]
    pub fn repairs(&self) -> Vec<String> {
        let signers = self.signers.iter().filter_map(|signer| {
            let repair = signer.repair.as_ref()?;
            Some(format!("{}: {repair}", signer.wallet))
        });
        let balances = self.balances.iter().filter_map(|balance| {
            let repair = balance.repair?;
            Some(format!("{}: {repair}", balance.symbol))
        });
        signers.chain(balances).collect()
    }
}

impl From<Reconciliation> for Comparison {
    fn from(report: Reconciliation) -> Self {
        let signers_agree = report.signers.iter().all(|s| s.remedy == Remedy::Nothing);
        let balances_agree = report
            .balances
            .iter()
            .all(|b| b.remedy == BalanceRemedy::Nothing && !b.suspicious);
        Self {
            signers: report.signers.iter().map(SignerView::from).collect(),
            balances: report.balances.iter().map(BalanceView::from).collect(),
            agree: signers_agree && balances_agree,
            done: vec![],
            report,
        }
    }
}

impl From<&SignerReport> for SignerView {
    fn from(report: &SignerReport) -> Self {
        let account = &report.row.account;
        let (repair, blocked) = match &report.remedy {
            Remedy::Nothing => (None, None),
            Remedy::Advance(to) => (Some(SignerRepair::Advance(*to)), None),
            Remedy::Release => (Some(SignerRepair::Release), None),
            Remedy::TakeBack { to, trades, .. } => {
                let reset = SignerRepair::ResetNonces {
                    from: *to,
                    to: report.row.next_nonce.saturating_sub(1),
                    trades: trades.clone(),
                };
                (Some(reset), None)
            }
            Remedy::Not(why) => (None, Some(why.clone())),
        };
        Self {
            realm: account.realm,
            chain: account.chain.clone(),
            wallet: account.wallet,
            next_nonce: report.row.next_nonce,
            chain_nonce: report.chain_nonce.as_ref().ok().copied(),
            chain_error: report.chain_nonce.as_ref().err().cloned(),
            halted: report.row.halted.clone(),
            open_trades: report.row.open_trades.clone(),
            unknown_nonces: report.unknown.iter().map(NonceView::from).collect(),
            repair,
            blocked,
        }
    }
}

impl From<&UnknownNonce> for NonceView {
    fn from(unknown: &UnknownNonce) -> Self {
        Self {
            nonce: unknown.nonce,
            tx_hash: unknown.used.map(|used| used.hash),
            block: unknown.used.map(|used| used.block_number),
            known: unknown.ours,
        }
    }
}

impl From<&BalanceReport> for BalanceView {
    fn from(report: &BalanceReport) -> Self {
        let (repair, blocked) = match &report.remedy {
            BalanceRemedy::Nothing => (None, None),
            BalanceRemedy::WriteDown(job) => (Some(WriteDown(*job)), None),
            BalanceRemedy::Not(why) => (None, Some(why.clone())),
        };
        let held = report.held.as_ref().ok().copied();
        let whole = |units| Whole::new(units, report.decimals);
        let missing = held
            .map(|held| report.tracked.saturating_sub(held))
            .filter(|missing| !missing.is_zero());
        Self {
            realm: report.account.realm,
            chain: report.account.chain.clone(),
            wallet: report.account.wallet,
            symbol: report.symbol.clone(),
            jobs: report.jobs.clone(),
            tracked: whole(report.tracked),
            held: held.map(whole),
            missing: missing.map(whole),
            beyond: (!report.surplus.is_zero()).then(|| whole(report.surplus)),
            suspicious: report.suspicious,
            chain_error: report.held.as_ref().err().cloned(),
            repair,
            blocked,
        }
    }
}

impl fmt::Display for SignerRepair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Advance(to) => write!(f, "continue with nonce {to}"),
            Self::Release => f.write_str("release the signer"),
            Self::ResetNonces { from, to, trades } => {
                write!(f, "reset nonces {from} to {to}, which were never on chain")?;
                if trades.is_empty() {
                    return Ok(());
                }
                let trades: Vec<String> = trades.iter().map(ToString::to_string).collect();
                write!(f, "; expires trades {}", trades.join(", "))
            }
        }
    }
}

impl fmt::Display for WriteDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "write job {} down to what the wallet holds", self.0)
    }
}

impl Serialize for SignerRepair {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl Serialize for WriteDown {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
