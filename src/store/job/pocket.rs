//! Money in of a cycle: moved with each booking, so that no list has to read a history; folded again from the history
//! by the same function when a reorg takes a booking back.

use sqlx::PgConnection;

use crate::domain::{
    decision::Side,
    figures::Pocket,
    units::{MoneyError, Usd},
};
use crate::store::{
    StoreError,
    columns::{usd, word},
    jobs::Job,
};

/// What moves money between the owner's pocket and a job.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum PocketMove {
    /// A fill: what was paid for it or came back, and its gas.
    Traded(Side, Usd, Usd),
    /// Gas of a trade that failed.
    Failed(Usd),
    /// Budget, or the cost of tokens that came without a trade.
    Paid(Usd),
    /// The cost of tokens that left without a trade.
    Received(Usd),
}

impl PocketMove {
    fn apply(self, pocket: &mut Pocket, owns_quote: bool) -> Result<(), MoneyError> {
        match self {
            Self::Traded(side, moved, gas) => pocket.traded(side, moved, gas, owns_quote),
            Self::Failed(gas) => pocket.traded(Side::Buy, Usd::ZERO, gas, owns_quote),
            Self::Paid(usd) => pocket.moved(usd, Usd::ZERO),
            Self::Received(usd) => pocket.moved(Usd::ZERO, usd),
        }
    }
}

/// Books what moved. `job`: as it was locked, before this.
pub(in crate::store) async fn moved(
    connection: &mut PgConnection,
    job: &Job,
    moved: PocketMove,
) -> Result<(), StoreError> {
    keep(connection, job, after(job, moved)?).await
}

/// The same, for a caller that writes it with more of the job.
pub(in crate::store) fn after(job: &Job, moved: PocketMove) -> Result<Pocket, StoreError> {
    let mut pocket = job.pocket;
    moved
        .apply(&mut pocket, job.position.owns_quote)
        .map_err(broken)?;
    Ok(pocket)
}

/// A new cycle, which begins with this budget.
pub(in crate::store) async fn begin(
    connection: &mut PgConnection,
    job: &Job,
    budget: Usd,
) -> Result<(), StoreError> {
    let mut pocket = Pocket::default();
    PocketMove::Paid(budget)
        .apply(&mut pocket, job.position.owns_quote)
        .map_err(broken)?;
    keep(connection, job, pocket).await
}

/// As if the reversed fill had never been booked.
pub(in crate::store) async fn fold_again(connection: &mut PgConnection, job: &Job) -> Result<(), StoreError> {
    let rows = sqlx::query_file!("src/store/sql/pocket_moves.sql", job.id.0, job.cycle)
        .fetch_all(&mut *connection)
        .await?;
    let mut pocket = Pocket::default();
    for row in rows {
        let (moved, gas) = (
            usd("fills.quote_usd", row.usd)?,
            usd("fills.gas_usd", row.gas_usd)?,
        );
        let moved = match row.kind.as_str() {
            "FAILED" => PocketMove::Failed(gas),
            "deposit" | "adopt" => PocketMove::Paid(moved),
            "withdraw" | "release" => PocketMove::Received(moved),
            side => PocketMove::Traded(word("fills.side", side)?, moved, gas),
        };
        moved
            .apply(&mut pocket, job.position.owns_quote)
            .map_err(broken)?;
    }
    keep(connection, job, pocket).await
}

async fn keep(connection: &mut PgConnection, job: &Job, pocket: Pocket) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE jobs SET out_of_pocket = $2::numeric, money_in = $3::numeric WHERE id = $1",
        job.id.0,
        pocket.out().decimal(),
        pocket.money_in().decimal(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn broken(error: MoneyError) -> StoreError {
    StoreError::Corrupt {
        column: "jobs.money_in",
        value: error.to_string(),
    }
}
