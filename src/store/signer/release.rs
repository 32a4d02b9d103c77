//! A job gives tokens back to its owner without selling them. They stay in the wallet.

use serde_json::json;
use sqlx::PgPool;

use crate::domain::{
    accounting,
    job::{Command, JobId, JobStatus, Transition, transition},
    units::{Amount, Usd},
};
use crate::store::{
    adoption::{Adjusted, earlier, out_of_range},
    jobs::{self, CommandError},
    leaving::{Leaving, in_motion, take_out},
    orders,
    session::begin,
};

/// Tokens that a job is to give back.
#[derive(Debug, Clone, Default)]
pub struct Release {
    /// Base units, above zero; `None`: all of them, and the job ends.
    pub tokens: Option<Amount>,
    /// Makes an order that is given twice happen once.
    pub key: Option<String>,
}

/// What a release did.
#[derive(Debug, Clone, Copy)]
pub struct Released {
    /// Whether it was done now.
    pub outcome: Adjusted,
    /// What the job gave back.
    pub tokens: Amount,
    /// What that had cost.
    pub cost: Usd,
    /// The job's status before and after.
    pub status: (JobStatus, JobStatus),
}

/// Takes tokens out of a job's position, with their share of the cost: nothing is earned or lost. Without an amount all
/// of them, and the job becomes IDLE; with one its status stays.
///
/// # Errors
/// [`CommandError::InMotion`] while a trade is open or could still be undone, [`CommandError::OwnsLess`];
/// [`CommandError`]. Nothing changes then.
pub async fn release(
    pool: &PgPool,
    id: JobId,
    release: &Release,
    actor: &str,
) -> Result<Released, CommandError> {
    let mut tx = begin(pool).await?;
    let job = jobs::lock(&mut tx, id).await?;
    let nothing = Released {
        outcome: Adjusted::Done,
        tokens: Amount::ZERO,
        cost: Usd::ZERO,
        status: (job.status, job.status),
    };
    if let Some(earlier) = earlier(&mut tx, id, release.key.as_deref()).await? {
        let at = earlier.same_order("release", release.tokens, None)?;
        return Ok(Released {
            outcome: Adjusted::Before(at),
            ..nothing
        });
    }
    // What a reorg would give back or take away is not the job's to give.
    if let Some(trade) = in_motion(&mut tx, id).await? {
        return Err(CommandError::InMotion(trade));
    }
    let held = job.position.token_balance;
    let tokens = release.tokens.unwrap_or(held);
    if tokens > held {
        let whole = |amount: Amount| format!("{} {}", amount.to_whole(job.token.decimals), job.token.symbol);
        return Err(CommandError::OwnsLess {
            owned: whole(held),
            asked: whole(tokens),
        });
    }
    let taken = accounting::withdraw(job.position, tokens).map_err(out_of_range)?;
    if !tokens.is_zero() {
        let why = Leaving {
            kind: "release",
            note: "given back to the owner; still in the wallet",
            key: release.key.as_deref(),
        };
        take_out(&mut tx, &job, tokens, &taken, &why).await?;
    }
    let ends = release.tokens.is_none();
    let after = match transition(job.status, job.status_before_stop, Command::Release)? {
        Transition::To(status) if ends => {
            orders::set_status(&mut tx, id, job.status, status).await?;
            status
        }
        _ => job.status,
    };
    if !tokens.is_zero() || after != job.status {
        let before = json!({ "status": job.status, "token_balance": held });
        let now = json!({
            "status": after, "token_balance": taken.position.token_balance, "tokens_released": tokens,
            "cost_basis_taken": taken.cost_sold, "key": release.key,
        });
        jobs::event(&mut tx, id, actor, "release", Some(before), Some(now)).await?;
    }
    tx.commit().await?;
    Ok(Released {
        tokens,
        cost: taken.cost_sold,
        status: (job.status, after),
        ..nothing
    })
}
