//! An order is placed: the job, its first cycle and the tokens that it is to sell, in one transaction.

use sqlx::{PgConnection, PgPool};

use crate::domain::{
    job::{JobId, JobMode, JobStatus},
    units::{Amount, Usd},
};
use crate::store::{
    adoption::{self, Adjusted, Adoption},
    jobs::{self, CommandError, NewJob},
    orders::{self, Order},
    session::begin,
};

/// What a new order begins with.
#[derive(Debug, Clone, Default)]
pub struct Placing {
    /// The order of this position that has ended, and is removed for the new one.
    pub replaces: Option<JobId>,
    /// Tokens of the wallet that it is to sell, base units, and what they cost in all.
    pub tokens: Option<(Amount, Usd)>,
}

/// Creates the job of an order and starts it, with the tokens that it is to sell.
///
/// # Errors
/// [`CommandError`]; nothing is done then: the order before is still there.
pub async fn place(
    pool: &PgPool,
    new: &NewJob,
    placing: &Placing,
    actor: &str,
) -> Result<JobId, CommandError> {
    let mut tx = begin(pool).await?;
    if let Some(ended) = placing.replaces {
        replace(&mut tx, ended, actor).await?;
    }
    let job = jobs::create_in(&mut tx, new, actor).await?;
    let start = Order::Start {
        deposit: Amount::ZERO,
    };
    orders::carry_out(&mut tx, job, start, actor).await?;
    if let Some((tokens, cost)) = placing.tokens {
        let adoption = Adoption {
            seen: Amount::ZERO,
            tokens,
            cost,
            is_buy: false,
            key: None,
        };
        let adopted = adoption::adopt_in(&mut tx, job, &adoption, actor).await?;
        if adopted != Adjusted::Done {
            return Err(CommandError::Exists);
        }
    }
    tx.commit().await?;
    Ok(job)
}

/// Removes an order that has ended; one that was started again meanwhile stays.
async fn replace(connection: &mut PgConnection, ended: JobId, actor: &str) -> Result<(), CommandError> {
    let job = jobs::lock(&mut *connection, ended).await?;
    if job.mode != JobMode::Order || job.status != JobStatus::Idle {
        return Err(CommandError::Exists);
    }
    orders::carry_out(connection, ended, Order::Remove, actor).await?;
    Ok(())
}
