//! What an overview of all jobs adds up: the figures of each job, without its configuration and history.

use rust_decimal::Decimal;
use sqlx::PgPool;

use crate::domain::{
    Timestamp,
    decision::Position,
    job::{JobId, JobStatus, Realm},
    span::Span,
    units::{Amount, Price, Usd},
};
use crate::store::{
    StoreError,
    columns::{amount, price, unsigned, usd, word},
};

/// A job's figures.
#[derive(Debug, Clone)]
pub struct Glance {
    /// Job id.
    pub job: JobId,
    /// Paper or live.
    pub realm: Realm,
    /// Its status.
    pub status: JobStatus,
    /// Its tokens and what they cost; what it owns of the quote is left out.
    pub position: Position,
    /// Spent on buys in this cycle.
    pub spent: Usd,
    /// Gas of this cycle.
    pub gas: Usd,
    /// Last accepted price.
    pub last_price: Option<Price>,
    /// The next nominal slot.
    pub next_slot: Option<Timestamp>,
    /// When the open slot, if there is one, was handed to the queue.
    pub open_since: Option<Timestamp>,
    /// How late a slot may be on purpose.
    pub jitter: Span,
    /// Whether nothing is signed with its key.
    pub halted: bool,
}

/// The figures of all jobs that were not removed, by number.
///
/// # Errors
/// [`StoreError`].
pub async fn all(pool: &PgPool) -> Result<Vec<Glance>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT j.id, j.realm, j.status, j.token_decimals, j.token_balance::text AS "token_balance!",
                  j.cost_basis::numeric AS "cost_basis!: Decimal", j.realized_pnl::numeric AS "realized!: Decimal",
                  j.gas_usd::numeric AS "gas!: Decimal", j.total_accumulated::numeric AS "spent!: Decimal",
                  s.last_price AS "last_price?", s.next_slot AS "next_slot?", s.open_since AS "open_since?",
                  COALESCE(j.config #>> '{schedule,jitter}', '0s') AS "jitter!",
                  g.halted_at IS NOT NULL AS "halted!"
           FROM jobs j
           LEFT JOIN job_slots s ON s.job_id = j.id
           LEFT JOIN signers g ON (g.realm, g.chain, g.address) = (j.realm, j.chain, j.wallet)
           WHERE j.archived_at IS NULL ORDER BY j.id"#
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let last = row.last_price;
            Ok(Glance {
                job: JobId(row.id),
                realm: word("jobs.realm", &row.realm)?,
                status: word("jobs.status", &row.status)?,
                position: Position {
                    token_balance: amount("jobs.token_balance", &row.token_balance)?,
                    token_decimals: unsigned("jobs.token_decimals", row.token_decimals.into())?,
                    cost_basis: usd("jobs.cost_basis", row.cost_basis)?,
                    owns_quote: false,
                    quote_balance: Amount::ZERO,
                    quote_decimals: 0,
                    quote_price: Price::ONE,
                    realized_pnl: usd("jobs.realized_pnl", row.realized)?,
                },
                spent: usd("jobs.total_accumulated", row.spent)?,
                gas: usd("jobs.gas_usd", row.gas)?,
                last_price: last
                    .map(|value| price("job_slots.last_price", value))
                    .transpose()?,
                next_slot: row.next_slot,
                open_since: row.open_since,
                jitter: word("jobs.config", &row.jitter)?,
                halted: row.halted,
            })
        })
        .collect()
}
