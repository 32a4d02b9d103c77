//! What jobs moved, transaction by transaction, for exports.

use alloy_primitives::B256;
use futures::{StreamExt, stream::BoxStream};
use rust_decimal::Decimal;
use sqlx::{PgExecutor, PgPool};
use strum::EnumString;

use crate::domain::{
    Timestamp,
    decision::{Reason, Side},
    ids::TradeId,
    job::{Account, JobId, Realm, Token},
    trade::TradeStatus,
    units::{Amount, MoneyError, Price, Usd},
};
use crate::store::{
    StoreError,
    columns::{address, amount, hash, price, unsigned, usd, word},
};

/// A job, removed ones too, as far as an export names it.
#[derive(Debug, Clone)]
pub struct Party {
    /// Job number.
    pub job: JobId,
    /// Where it trades.
    pub account: Account,
    /// What it builds or balances.
    pub token: Token,
    /// What it pays with.
    pub quote: Token,
}

/// All jobs that ever were, in the order of their numbers.
///
/// # Errors
/// [`StoreError`].
pub async fn parties(pool: &PgPool) -> Result<Vec<Party>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id, realm, chain, wallet::text AS "wallet!", token_address::text AS "token_address!", token_symbol,
                  token_decimals, quote_address::text AS "quote_address!", quote_symbol, quote_decimals
           FROM jobs ORDER BY id"#
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Party {
                job: JobId(row.id),
                account: Account {
                    realm: word("jobs.realm", &row.realm)?,
                    chain: row.chain,
                    wallet: address("jobs.wallet", &row.wallet)?,
                },
                token: Token {
                    address: address("jobs.token_address", &row.token_address)?,
                    symbol: row.token_symbol,
                    decimals: unsigned("jobs.token_decimals", row.token_decimals.into())?,
                },
                quote: Token {
                    address: address("jobs.quote_address", &row.quote_address)?,
                    symbol: row.quote_symbol,
                    decimals: unsigned("jobs.quote_decimals", row.quote_decimals.into())?,
                },
            })
        })
        .collect()
}

impl Move {
    /// What it earned: proceeds less cost of what was sold; dust that was written down is a loss.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range.
    pub fn earned(&self) -> Result<Usd, MoneyError> {
        match self.kind {
            MoveKind::Trade => Ok(self.realized.unwrap_or(Usd::ZERO)),
            MoveKind::Dust => Usd::ZERO.checked_sub(self.quote_usd.unwrap_or(Usd::ZERO)),
            MoveKind::Gas | MoveKind::Adopt | MoveKind::Withdraw | MoveKind::Release | MoveKind::Deposit => {
                Ok(Usd::ZERO)
            }
        }
    }

    /// Whether it is a fill.
    #[must_use]
    pub fn is_fill(&self) -> bool {
        self.kind == MoveKind::Trade && self.status == Some(TradeStatus::Executed)
    }
}

impl Party {
    /// Paper or live.
    #[must_use]
    pub const fn realm(&self) -> Realm {
        self.account.realm
    }
}

/// The kind of a [`Move`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum MoveKind {
    /// A trade, with the gas of its swap.
    Trade,
    /// The gas of an approve, a cancel or a reverted swap.
    Gas,
    /// Tokens of the wallet that were adopted or counted into the position.
    Adopt,
    /// Tokens that the wallet did not hold any more.
    Withdraw,
    /// Tokens that the job gave back to its owner; they stayed in the wallet.
    Release,
    /// A rest too small to sell, written down.
    Dust,
    /// Quote that a cycle started with.
    Deposit,
}

/// One row: a trade, a transaction that only paid gas, or an adjustment.
#[derive(Debug, Clone)]
pub struct Move {
    /// What it is.
    pub kind: MoveKind,
    /// Time of the block; of an adjustment or of a trade without a fill, when it was written down.
    pub at: Timestamp,
    /// Its job.
    pub job: JobId,
    /// Its trade.
    pub trade: Option<TradeId>,
    /// Its transaction.
    pub hash: Option<B256>,
    /// Which life of the job.
    pub cycle: i32,
    /// The trade's slot.
    pub slot: Option<Timestamp>,
    /// The trade's direction.
    pub side: Option<Side>,
    /// The trade's rule.
    pub reason: Option<Reason>,
    /// How far the trade is.
    pub status: Option<TradeStatus>,
    /// Why the trade failed: the kind.
    pub failure: Option<String>,
    /// An error, what an open trade waits for, or what an adjustment is about.
    pub note: Option<String>,
    /// What a transaction that only paid gas was for.
    pub purpose: Option<String>,
    /// Tokens, as planned until a trade is executed.
    pub base: Option<Amount>,
    /// Quote, likewise.
    pub quote: Option<Amount>,
    /// USD per whole token.
    pub price: Option<Price>,
    /// Quote in USD, as filled; of an adjustment, its cost.
    pub quote_usd: Option<Usd>,
    /// Cost basis of what was sold, at the average.
    pub cost_sold: Option<Usd>,
    /// Proceeds less that cost.
    pub realized: Option<Usd>,
    /// Gas of this transaction, wei.
    pub gas_native: Option<Amount>,
    /// The same in USD.
    pub gas_usd: Option<Usd>,
    /// When the trade was frozen.
    pub created_at: Timestamp,
    /// When the trade was final.
    pub executed_at: Option<Timestamp>,
}

struct MoveRow {
    kind: String,
    at: Timestamp,
    job_id: i64,
    trade_id: Option<i64>,
    tx_hash: Option<Vec<u8>>,
    cycle: i32,
    slot: Option<Timestamp>,
    side: Option<String>,
    reason: Option<String>,
    status: Option<String>,
    failure_kind: Option<String>,
    note: Option<String>,
    purpose: Option<String>,
    base_amount: Option<String>,
    quote_amount: Option<String>,
    price_usd: Option<Decimal>,
    quote_usd: Option<Decimal>,
    cost_sold_usd: Option<Decimal>,
    realized_usd: Option<Decimal>,
    gas_native: Option<String>,
    gas_usd: Option<Decimal>,
    created_at: Timestamp,
    executed_at: Option<Timestamp>,
}

impl TryFrom<MoveRow> for Move {
    type Error = StoreError;

    fn try_from(row: MoveRow) -> Result<Self, StoreError> {
        let money = |column, value: Option<Decimal>| value.map(|value| usd(column, value)).transpose();
        let units = |column, value: Option<String>| value.map(|value| amount(column, &value)).transpose();
        Ok(Self {
            kind: word("adjustments.kind", &row.kind)?,
            at: row.at,
            job: JobId(row.job_id),
            trade: row.trade_id.map(TradeId),
            hash: row
                .tx_hash
                .map(|bytes| hash("trades.tx_hash", &bytes))
                .transpose()?,
            cycle: row.cycle,
            slot: row.slot,
            side: row.side.map(|side| word("trades.side", &side)).transpose()?,
            reason: row
                .reason
                .map(|reason| word("trades.reason", &reason))
                .transpose()?,
            status: row
                .status
                .map(|status| word("trades.status", &status))
                .transpose()?,
            failure: row.failure_kind,
            note: row.note,
            purpose: row.purpose,
            base: units("trades.base_amount", row.base_amount)?,
            quote: units("trades.quote_amount", row.quote_amount)?,
            price: row
                .price_usd
                .map(|value| price("trades.price_usd", value))
                .transpose()?,
            quote_usd: money("fills.quote_usd", row.quote_usd)?,
            cost_sold: money("fills.cost_sold_usd", row.cost_sold_usd)?,
            realized: money("fills.realized_usd", row.realized_usd)?,
            gas_native: units("gas_paid.gas_native", row.gas_native)?,
            gas_usd: money("gas_paid.gas_usd", row.gas_usd)?,
            created_at: row.created_at,
            executed_at: row.executed_at,
        })
    }
}

/// All that these jobs moved or planned, before `until` if it is given, in the order in which it happened, a row at a
/// time: no number of trades fills the memory.
pub fn moves<'a>(
    executor: impl PgExecutor<'a> + 'a,
    jobs: &'a [i64],
    until: Option<Timestamp>,
) -> BoxStream<'a, Result<Move, StoreError>> {
    sqlx::query_file_as!(MoveRow, "src/store/sql/moves.sql", jobs, until)
        .fetch(executor)
        .map(|row| Move::try_from(row?))
        .boxed()
}
