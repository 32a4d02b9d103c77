//! Members of a basket: what each is to the others, and quote that moves between them.

use std::collections::HashMap;

use rust_decimal::Decimal;
use sqlx::{PgConnection, PgPool};
use tracing::warn;

use crate::domain::{
    Timestamp,
    basket::Move,
    config::BasketConfig,
    decision::{Peer, Peers},
    job::{JobId, JobStatus},
    span::Span,
    units::{Amount, MoneyError, Rounding, Usd},
};
use crate::store::{
    StoreError,
    columns::{amount, json, numbers, price, unsigned, word},
    jobs::{self, Job},
    leaving,
    pocket::{self, PocketMove},
    session::begin,
};

/// The other members of the basket of each of these jobs, in one statement. `fresh`: a price that a member accepted
/// longer than this before `now` does not count.
///
/// # Errors
/// [`StoreError`].
pub async fn peers(
    pool: &PgPool,
    members: &[(JobId, Span)],
    now: Timestamp,
) -> Result<HashMap<JobId, Peers>, StoreError> {
    let ids: Vec<JobId> = members.iter().map(|(job, _)| *job).collect();
    let rows = sqlx::query_file!("src/store/sql/basket_peers.sql", &numbers(&ids))
        .fetch_all(pool)
        .await?;
    let fresh: HashMap<JobId, Span> = members.iter().copied().collect();
    let mut found: HashMap<JobId, Peers> = HashMap::new();
    for row in rows {
        let member = JobId(row.member);
        let peers = found.entry(member).or_default();
        let status: JobStatus = word("jobs.status", &row.status)?;
        if status == JobStatus::Idle {
            continue;
        }
        peers.started = peers.started.saturating_add(1);
        if status != JobStatus::Running {
            continue;
        }
        let oldest = fresh.get(&member).map(|fresh| fresh.before(now));
        let job = JobId(row.id);
        let read = || {
            let rules: BasketConfig = json("jobs.config", row.rules)?;
            let last = row.last_price.zip(row.last_price_at);
            let last = last.filter(|(_, at)| oldest.is_some_and(|oldest| *at >= oldest));
            let tokens = amount("jobs.token_balance", &row.token_balance)?;
            let decimals = unsigned("jobs.token_decimals", i64::from(row.token_decimals))?;
            let tokens = match last {
                Some((last, _)) => {
                    let last = price("job_slots.last_price", last)?;
                    let value = tokens.value(decimals, last, Rounding::Down);
                    Some(value.map_err(broken)?)
                }
                None => None,
            };
            Ok::<_, StoreError>(Peer {
                job,
                weight: rules.weight,
                band_pct: rules.band_pct,
                tokens,
                quote: amount("jobs.quote_balance", &row.quote_balance)?,
                sells: row.sells,
                in_motion: row.in_motion,
                blocked: row.blocked,
            })
        };
        peers.running.push(read().unwrap_or_else(|error| {
            warn!(%error, %job, "a member of a basket cannot be read; the others wait for it");
            unreadable(job)
        }));
    }
    Ok(found)
}

/// A member whose row this build cannot read, such as one that a newer build wrote: it has no price, so its basket
/// holds, and jobs that have nothing to do with it are not stopped.
fn unreadable(job: JobId) -> Peer {
    Peer {
        job,
        weight: Decimal::ONE,
        band_pct: Decimal::ZERO,
        tokens: None,
        quote: Amount::ZERO,
        sells: false,
        in_motion: true,
        blocked: true,
    }
}

/// Moves quote of other members to `to`, all of it or none: it is another member's until this transaction ends, and
/// `to`'s from then on. A plan of either that was made before is void. `false`: one of them changed meanwhile.
///
/// # Errors
/// [`StoreError`]; nothing moves then.
pub async fn gather(pool: &PgPool, to: &Job, moves: &[Move]) -> Result<bool, StoreError> {
    let mut ids: Vec<JobId> = moves.iter().map(|one| one.from).chain([to.id]).collect();
    // By number, as every transaction that locks several jobs.
    ids.sort_unstable();
    ids.dedup();
    let mut tx = begin(pool).await?;
    let mut locked = HashMap::new();
    for id in ids {
        locked.insert(id, jobs::lock(&mut tx, id).await?);
    }
    // As it was read: what it lacked was counted from that.
    let unchanged = |job: &&Job| member(job, to) && job.version == to.version;
    let Some(taker) = locked.get(&to.id).filter(unchanged) else {
        return Ok(false);
    };
    let mut sum = Amount::ZERO;
    let mut worth = Usd::ZERO;
    for one in moves {
        let Some(giver) = locked.get(&one.from).filter(|job| member(job, to)) else {
            return Ok(false);
        };
        // What a trade may still spend, or a reorg may still undo, stays.
        if leaving::in_motion(&mut tx, one.from).await?.is_some() {
            return Ok(false);
        }
        let Ok(left) = giver.position.quote_balance.checked_sub(one.amount) else {
            return Ok(false);
        };
        let usd = value(to, one.amount)?;
        let note = format!("moved to job {} of its basket", to.id);
        book(&mut tx, giver, ("withdraw", -1, one.amount, usd), left, &note).await?;
        pocket::moved(&mut tx, giver, PocketMove::Received(usd)).await?;
        sum = sum.checked_add(one.amount).map_err(broken)?;
        worth = worth.checked_add(usd).map_err(broken)?;
    }
    let all = taker.position.quote_balance.checked_add(sum).map_err(broken)?;
    let note = "moved from other jobs of its basket";
    book(&mut tx, taker, ("deposit", 1, sum, worth), all, note).await?;
    pocket::moved(&mut tx, taker, PocketMove::Paid(worth)).await?;
    tx.commit().await?;
    Ok(true)
}

/// Whether a job, as it is now, is a running member of the basket that `of` was read as one of.
fn member(job: &Job, of: &Job) -> bool {
    let name = |job: &Job| job.config.rules.basket().map(|rules| rules.name.clone());
    job.status == JobStatus::Running
        && job.archived_at.is_none()
        && job.account == of.account
        && job.quote.address == of.quote.address
        && name(job).is_some()
        && name(job) == name(of)
}

/// `job`: as the engine has priced its quote.
fn value(job: &Job, quote: Amount) -> Result<Usd, StoreError> {
    let position = &job.position;
    let value = quote.value(position.quote_decimals, position.quote_price, Rounding::Down);
    value.map_err(broken)
}

fn broken(error: MoneyError) -> StoreError {
    StoreError::Corrupt {
        column: "jobs.quote_balance",
        value: error.to_string(),
    }
}

/// One side of a move: the adjustment and the balance after it.
async fn book(
    connection: &mut PgConnection,
    job: &Job,
    (kind, sign, quote, usd): (&str, i32, Amount, Usd),
    balance: Amount,
    note: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO adjustments (job_id, cycle, kind, quote_delta, cost_delta, note)
         VALUES ($1, $2, $3, $4::text::numeric * $5::numeric, $6::numeric * $5::numeric, $7)",
        job.id.0,
        job.cycle,
        kind,
        quote.to_string(),
        Decimal::from(sign),
        usd.decimal(),
        note,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "UPDATE jobs SET quote_balance = $2::text::numeric, version = version + 1 WHERE id = $1",
        job.id.0,
        balance.to_string(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
