//! What jobs hold and moved, as of one instant: figures that are added up from several statements belong together.

use futures::stream::BoxStream;
use sqlx::{PgPool, Postgres, Transaction};

use crate::domain::{
    Timestamp,
    job::JobId,
    units::{Amount, Price, Usd},
};
use crate::store::{
    StoreError,
    columns::{amount, price, unsigned, usd},
    moves::{self, Move},
    payouts::{self, Payout},
    session::begin,
};

/// A job, removed ones too: what it holds, and how its schedule counts time.
#[derive(Debug, Clone)]
pub struct Holding {
    /// Job number.
    pub job: JobId,
    /// Whether it was removed.
    pub removed: bool,
    /// Zone of its schedule, as it is stored.
    pub zone: Option<String>,
    /// Its price sources, as they are stored: a list of names.
    pub sources: Option<serde_json::Value>,
    /// Tokens held, base units.
    pub tokens: Amount,
    /// Digits of one whole token.
    pub decimals: u8,
    /// What they cost.
    pub cost_basis: Usd,
    /// Last accepted price.
    pub price: Option<Price>,
}

/// The ledger as it is at one instant, whatever others write meanwhile.
#[derive(Debug)]
pub struct Snapshot(Transaction<'static, Postgres>);

impl Snapshot {
    /// Begins to read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(pool: &PgPool) -> Result<Self, StoreError> {
        let mut tx = begin(pool).await?;
        sqlx::query!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .execute(&mut *tx)
            .await?;
        Ok(Self(tx))
    }

    /// The database's time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn now(&mut self) -> Result<Timestamp, StoreError> {
        Ok(sqlx::query_scalar!(r#"SELECT now() AS "now!""#)
            .fetch_one(&mut *self.0)
            .await?)
    }

    /// These jobs, in the order of their numbers.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn holdings(&mut self, jobs: &[i64]) -> Result<Vec<Holding>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT j.id, j.archived_at IS NOT NULL AS "removed!", j.config #>> '{schedule,timezone}' AS zone,
                      j.config #> '{price,sources}' AS sources,
                      j.token_balance::text AS "tokens!", j.token_decimals, j.cost_basis::numeric AS "cost_basis!",
                      s.last_price AS "last_price?"
               FROM jobs j LEFT JOIN job_slots s ON s.job_id = j.id WHERE j.id = ANY ($1) ORDER BY j.id"#,
            jobs
        )
        .fetch_all(&mut *self.0)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Holding {
                    job: JobId(row.id),
                    removed: row.removed,
                    zone: row.zone,
                    sources: row.sources,
                    tokens: amount("jobs.token_balance", &row.tokens)?,
                    decimals: unsigned("jobs.token_decimals", row.token_decimals.into())?,
                    cost_basis: usd("jobs.cost_basis", row.cost_basis)?,
                    price: row
                        .last_price
                        .map(|value| price("job_slots.last_price", value))
                        .transpose()?,
                })
            })
            .collect()
    }

    /// [All withdrawals](payouts::payouts), before `until` if it is given, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn payouts(&mut self, until: Option<Timestamp>) -> Result<Vec<Payout>, StoreError> {
        payouts::payouts(&mut *self.0, until).await
    }

    /// [All that these jobs moved](moves::moves), before `until` if it is given, oldest first.
    pub fn moves<'a>(
        &'a mut self,
        jobs: &'a [i64],
        until: Option<Timestamp>,
    ) -> BoxStream<'a, Result<Move, StoreError>> {
        moves::moves(&mut *self.0, jobs, until)
    }
}
