//! A row of an export.

use alloy_primitives::Address;
use serde::{Serialize, Serializer};
use strum::{Display, IntoStaticStr};

use super::names::Names;
use crate::{
    app::whole::{Whole, checksum},
    config::Settings,
    domain::{
        Timestamp,
        decision::{Reason, Side},
        ids::{JobId, TradeId, WithdrawalId},
        job::{Account, Realm},
        trade::TradeStatus,
        units::{Amount, MoneyError, NATIVE_DECIMALS, Price, Usd},
    },
    store::moves::{Move, MoveKind, Party},
};

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Display, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum RowKind {
    /// A trade: one token went out, another came in.
    Trade,
    /// A transaction that only paid gas: an approve, a cancel or a reverted swap.
    Gas,
    /// Tokens that the wallet held and no job tracked were adopted or counted in.
    Adopt,
    /// Tokens that a job tracked had left the wallet.
    Withdraw,
    /// Tokens that the job gave back to its owner; they stayed in the wallet.
    Release,
    /// A rest too small to sell was written down; nothing moved.
    Dust,
    /// A cycle began with this budget, or quote went to another job of a basket; nothing moved.
    Budget,
    /// Coins or tokens that the owner took out of a wallet.
    Payout,
}

impl From<MoveKind> for RowKind {
    fn from(kind: MoveKind) -> Self {
        match kind {
            MoveKind::Trade => Self::Trade,
            MoveKind::Gas => Self::Gas,
            MoveKind::Adopt => Self::Adopt,
            MoveKind::Withdraw => Self::Withdraw,
            MoveKind::Release => Self::Release,
            MoveKind::Dust => Self::Dust,
            MoveKind::Deposit => Self::Budget,
        }
    }
}

/// One row. Amounts are in whole tokens, exact. `docs/export.md` describes each column.
#[derive(Debug, Clone, Serialize)]
pub struct ExportLine {
    pub kind: RowKind,
    pub at: Timestamp,
    pub realm: Realm,
    pub chain: String,
    #[serde(serialize_with = "checksum")]
    pub wallet: Address,
    pub job: Option<JobId>,
    pub symbol: String,
    #[serde(serialize_with = "checksum")]
    pub token_address: Address,
    pub quote_currency: Option<String>,
    #[serde(serialize_with = "checksum_of")]
    pub quote_address: Option<Address>,
    pub trade: Option<TradeId>,
    pub withdrawal: Option<WithdrawalId>,
    pub cycle: Option<i32>,
    pub slot: Option<Timestamp>,
    pub side: Option<Side>,
    pub reason: Option<Reason>,
    pub status: Option<TradeStatus>,
    pub sent_amount: Option<Whole>,
    pub sent_currency: Option<String>,
    pub received_amount: Option<Whole>,
    pub received_currency: Option<String>,
    pub fee_amount: Option<Whole>,
    pub fee_currency: Option<String>,
    pub gas_usd: Option<Usd>,
    pub base_amount: Option<Whole>,
    pub quote_amount: Option<Whole>,
    pub price_usd: Option<Price>,
    pub quote_usd: Option<Usd>,
    pub cost_basis_average_usd: Option<Usd>,
    pub realized_average_usd: Option<Usd>,
    pub cost_basis_fifo_usd: Option<Usd>,
    pub realized_fifo_usd: Option<Usd>,
    pub tx_hash: Option<String>,
    pub link: Option<String>,
    pub failure_kind: Option<String>,
    pub note: Option<String>,
    pub created_at: Timestamp,
    pub executed_at: Option<Timestamp>,
    /// The sent and the received token by names that a tax tool cannot mistake.
    #[serde(skip)]
    pub sent_ticker: Option<String>,
    #[serde(skip)]
    pub received_ticker: Option<String>,
}

/// An amount of a token, and the token's two names.
struct Leg<'a> {
    amount: Whole,
    currency: &'a str,
    ticker: &'a str,
}

/// What a row is made of, besides what moved.
pub(super) struct Context<'a> {
    pub(super) party: &'a Party,
    pub(super) names: &'a Names,
    pub(super) settings: &'a Settings,
}

impl Context<'_> {
    fn token(&self, units: Option<Amount>) -> Option<Leg<'_>> {
        Some(Leg {
            amount: Whole::new(units?, self.party.token.decimals),
            currency: &self.party.token.symbol,
            ticker: self.names.token(self.party),
        })
    }

    fn quote(&self, units: Option<Amount>) -> Option<Leg<'_>> {
        Some(Leg {
            amount: Whole::new(units?, self.party.quote.decimals),
            currency: &self.party.quote.symbol,
            ticker: &self.party.quote.symbol,
        })
    }

    /// What went out and what came in.
    fn legs(&self, moved: &Move) -> (Option<Leg<'_>>, Option<Leg<'_>>) {
        match (moved.kind, moved.side) {
            (MoveKind::Trade, Some(side)) if moved.status == Some(TradeStatus::Executed) => match side {
                Side::Buy => (self.quote(moved.quote), self.token(moved.base)),
                Side::Sell => (self.token(moved.base), self.quote(moved.quote)),
            },
            (MoveKind::Adopt, _) => (None, self.token(moved.base)),
            (MoveKind::Withdraw, _) if within_a_basket(moved) => (None, None),
            (MoveKind::Withdraw | MoveKind::Release, _) => (self.token(moved.base), None),
            _ => (None, None),
        }
    }
}

/// The page of a live transaction in the chain's explorer.
pub(super) fn link(settings: &Settings, account: &Account, hash: Option<&String>) -> Option<String> {
    if account.realm != Realm::Live {
        return None;
    }
    let page = settings.chain(&account.chain).ok()?.explorer_tx;
    (!page.is_empty()).then(|| hash.map(|hash| page + hash))?
}

/// Writes an address with its checksum, if there is one.
fn checksum_of<S: Serializer>(address: &Option<Address>, serializer: S) -> Result<S::Ok, S::Error> {
    match address {
        Some(address) => serializer.serialize_str(&address.to_checksum(None)),
        None => serializer.serialize_none(),
    }
}

/// Quote that went to another member of a basket: it stays its owner's, and no token leaves.
fn within_a_basket(moved: &Move) -> bool {
    moved.kind == MoveKind::Withdraw && moved.base.is_none_or(|tokens| tokens.is_zero())
}

/// Cost and gain of what went, by both methods; `fifo` is what the oldest lots had cost. Adopted tokens have their
/// cost.
fn gains(moved: &Move, fifo: Option<Usd>) -> Result<[Option<Usd>; 4], MoneyError> {
    let sold = moved.side == Some(Side::Sell) && moved.status == Some(TradeStatus::Executed);
    let gain = |cost: Usd| moved.quote_usd.map(|usd| usd.checked_sub(cost)).transpose();
    Ok(match moved.kind {
        MoveKind::Trade if sold => [
            moved.cost_sold,
            moved.realized,
            fifo,
            fifo.map(gain).transpose()?.flatten(),
        ],
        MoveKind::Dust => {
            let lost = |cost: Option<Usd>| cost.map(|cost| Usd::ZERO.checked_sub(cost)).transpose();
            [moved.quote_usd, lost(moved.quote_usd)?, fifo, lost(fifo)?]
        }
        MoveKind::Withdraw if within_a_basket(moved) => [None; 4],
        MoveKind::Withdraw | MoveKind::Release => [moved.quote_usd, None, fifo, None],
        MoveKind::Adopt => [moved.quote_usd, None, moved.quote_usd, None],
        _ => [None; 4],
    })
}

impl ExportLine {
    pub(super) fn new(moved: &Move, context: &Context<'_>, fifo: Option<Usd>) -> Result<Self, MoneyError> {
        let party = context.party;
        let (sent, received) = context.legs(moved);
        let native = context.names.native(&party.account.chain, context.settings);
        let fee = moved.gas_native.filter(|gas| !gas.is_zero());
        let [
            cost_basis_average_usd,
            realized_average_usd,
            cost_basis_fifo_usd,
            realized_fifo_usd,
        ] = gains(moved, fifo)?;
        let tx_hash = moved.hash.map(|hash| hash.to_string());
        let note = match (&moved.purpose, &moved.note) {
            (Some(purpose), Some(note)) => Some(format!("{purpose}: {note}")),
            (purpose, note) => purpose.clone().or_else(|| note.clone()),
        };
        let is_trade = matches!(moved.kind, MoveKind::Trade);
        Ok(Self {
            kind: match within_a_basket(moved) {
                true => RowKind::Budget,
                false => moved.kind.into(),
            },
            at: moved.at,
            realm: party.realm(),
            chain: party.account.chain.clone(),
            wallet: party.account.wallet,
            job: Some(party.job),
            symbol: party.token.symbol.clone(),
            token_address: party.token.address,
            quote_currency: Some(party.quote.symbol.clone()),
            quote_address: Some(party.quote.address),
            trade: moved.trade,
            withdrawal: None,
            cycle: Some(moved.cycle),
            slot: moved.slot,
            side: moved.side,
            reason: moved.reason,
            // Gas is paid however its trade ends: only the trade's own row says how it ended.
            status: moved.status.filter(|_| is_trade),
            sent_amount: sent.as_ref().map(|leg| leg.amount),
            sent_currency: sent.as_ref().map(|leg| leg.currency.to_owned()),
            received_amount: received.as_ref().map(|leg| leg.amount),
            received_currency: received.as_ref().map(|leg| leg.currency.to_owned()),
            fee_amount: fee.map(|gas| Whole::new(gas, NATIVE_DECIMALS)),
            fee_currency: fee.map(|_| native),
            gas_usd: moved.gas_usd,
            base_amount: moved.base.map(|units| Whole::new(units, party.token.decimals)),
            quote_amount: moved.quote.map(|units| Whole::new(units, party.quote.decimals)),
            price_usd: moved.price,
            quote_usd: moved.quote_usd.filter(|_| is_trade),
            cost_basis_average_usd,
            realized_average_usd,
            cost_basis_fifo_usd,
            realized_fifo_usd,
            link: link(context.settings, &party.account, tx_hash.as_ref()),
            tx_hash,
            failure_kind: moved.failure.clone(),
            note,
            created_at: moved.created_at,
            executed_at: moved.executed_at,
            sent_ticker: sent.map(|leg| leg.ticker.to_owned()),
            received_ticker: received.map(|leg| leg.ticker.to_owned()),
        })
    }

    /// Whether tokens or gas moved: a plan, written-down dust and a budget moved nothing.
    #[must_use]
    pub fn moved(&self) -> bool {
        self.sent_amount.is_some() || self.received_amount.is_some() || self.fee_amount.is_some()
    }
}
