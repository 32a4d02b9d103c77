//! A basket as one of its members sees it.

use std::collections::HashMap;

use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::PgPool;

use crate::{
    app::AppError,
    domain::{
        Timestamp,
        basket::{Standing, shares},
        config::BasketConfig,
        decision::Peers,
        ids::JobId,
        job::JobStatus,
        units::Usd,
    },
    store::{basket, members, ticks::TickJob},
};

/// The basket that a job is a member of.
#[derive(Debug, Serialize)]
pub struct BasketSeen {
    /// `basket.name`
    pub name: String,
    /// How many members there must be, by this job's configuration.
    pub members: u32,
    /// How many were started and are not IDLE, this one included.
    pub started: u32,
    /// Tokens and quote of the running members, USD; none while a price is missing.
    pub total_usd: Option<Usd>,
    /// This job's share and target; none while a price is missing, or while it does not run.
    pub own: Option<Standing>,
    /// The other members, by number.
    pub others: Vec<OtherMember>,
}

/// Another member of a basket.
#[derive(Debug, Serialize)]
pub struct OtherMember {
    pub job: JobId,
    pub symbol: String,
    pub status: JobStatus,
    /// `basket.weight`
    pub weight: Decimal,
    /// Its share and target; none while a price is missing, or while it does not run.
    pub standing: Option<Standing>,
    /// What keeps it from trading, by the name of its hold.
    pub blocked_by: Option<String>,
}

/// The basket of this job, at the prices that its members accepted last.
pub(super) async fn seen(
    pool: &PgPool,
    rules: &BasketConfig,
    tick: &TickJob,
    now: Timestamp,
) -> Result<BasketSeen, AppError> {
    let job = &tick.job;
    let max_age = job.config.price.max_price_age;
    let mut peers = basket::peers(pool, &[(job.id, max_age)], now).await?;
    let peers: Peers = peers.remove(&job.id).unwrap_or_default();
    let oldest = max_age.before(now);
    let price = tick.last_price.filter(|(_, at)| *at >= oldest);
    let runs = job.status == JobStatus::Running;
    let shares = match price.filter(|_| runs) {
        Some((price, _)) => shares(rules, &job.position, price, &peers).ok().flatten(),
        None => None,
    };
    let mut connection = pool.acquire().await?;
    let seats = members::named(&mut connection, job.account.realm, &rules.name).await?;
    let standings: HashMap<JobId, Standing> = shares
        .iter()
        .flat_map(|shares| shares.others.iter().copied())
        .collect();
    let others = seats
        .into_iter()
        .filter(|seat| seat.job != job.id && seat.is_beside(&job.account, &job.quote))
        .map(|seat| OtherMember {
            job: seat.job,
            symbol: seat.symbol,
            status: seat.member.status,
            weight: seat
                .member
                .config
                .rules
                .basket()
                .map_or(Decimal::ZERO, |rules| rules.weight),
            standing: standings.get(&seat.job).copied(),
            blocked_by: seat.blocked_by,
        })
        .collect();
    Ok(BasketSeen {
        name: rules.name.clone(),
        members: rules.members,
        started: peers.started.saturating_add(1),
        total_usd: shares.as_ref().map(|shares| shares.total),
        own: shares.map(|shares| shares.own),
        others,
    })
}
