//! All jobs, one line each.

use std::{cmp::Ordering, fmt};

use alloy_primitives::Address;
use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    alive::{Dead, LATE_AFTER, Waiting, alive},
    export::check_chain,
};
use crate::{
    app::{
        App, AppError,
        target::{address, called},
        whole::{Whole, checksum, shown},
    },
    domain::{
        Timestamp,
        accounting::{average_cost, unrealized},
        config::SourceName,
        figures::{net, return_pct},
        ids::{AuditId, JobId},
        job::{JobMode, JobStatus, Realm},
        units::{Amount, Price, Usd},
        zone::Zone,
    },
    store::{
        jobs::{self, Filter, Job},
        known,
        views::{self, Pulse},
    },
};

/// One job in one line.
#[derive(Debug, Serialize)]
pub struct JobLine {
    pub job: JobId,
    pub symbol: String,
    #[serde(serialize_with = "checksum")]
    pub token: Address,
    pub chain: String,
    pub realm: Realm,
    pub mode: JobMode,
    /// `basket.name` of a member of a basket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basket: Option<String>,
    pub status: JobStatus,
    /// When it was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
    /// Last accepted price; none before the first slot.
    pub price_usd: Option<Price>,
    /// Where its prices come from: the first is used, the others cross-check it.
    pub price_sources: Vec<SourceName>,
    pub position: Whole,
    /// Tokens held, base units.
    pub position_units: Amount,
    /// Spent on buys in this cycle.
    pub spent_usd: Usd,
    /// USD per whole token; none without a position.
    pub average_cost_usd: Option<Price>,
    /// Proceeds less cost of what was sold in this cycle, before gas.
    pub realized_usd: Usd,
    /// Value less cost of what is held, at the last accepted price, before gas.
    pub unrealized_usd: Option<Usd>,
    /// Gas of this cycle, failed, approve and cancel transactions included.
    pub gas_usd: Usd,
    /// Realised plus unrealised less gas; none while tokens are held whose price is not known yet.
    pub net_usd: Option<Usd>,
    /// Money in: the most that was ever out of the owner's pocket in this cycle, gas included.
    pub money_in_usd: Usd,
    /// Net in per cent of the money in; none without money in, or while net is unknown.
    pub return_pct: Option<Decimal>,
    pub last_decision: Option<LastDecision>,
    /// Reason and instant of the last decision.
    pub last_detail: Option<String>,
    /// The next slot; in the past if nobody took it.
    pub next_slot: Option<Timestamp>,
    /// The slot that should have been evaluated by now and was not.
    pub late_since: Option<Timestamp>,
    /// The pause that stopped it together with other jobs, which can be undone as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<AuditId>,
    /// Zone of its schedule.
    pub timezone: Zone,
    /// Whether nothing is signed with its key.
    pub signer_halted: bool,
}

/// Which jobs to list, and in which order.
#[derive(Debug, Clone, Default)]
pub struct ListRequest {
    pub status: Option<JobStatus>,
    pub realm: Option<Realm>,
    /// Ticker, address or job number.
    pub token: Option<String>,
    pub chain: Option<String>,
    /// Only members of baskets of this name.
    pub basket: Option<String>,
    /// Removed jobs as well.
    pub archived: bool,
    pub sort: SortBy,
    /// Only a part of them, by number; the order is then one of that part.
    pub page: Option<Page>,
}

/// A part of a list of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Jobs with a greater number.
    pub after: JobId,
    /// Most jobs.
    pub limit: i64,
}

impl ListRequest {
    /// Whether all jobs are listed.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.status.is_none()
            && self.realm.is_none()
            && self.token.is_none()
            && self.chain.is_none()
            && self.basket.is_none()
    }
}

/// The order of jobs. Equal ones are ordered by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortBy {
    /// In ERROR, halted or late first, then live ones.
    #[default]
    Attention,
    Job,
    Token,
    Status,
    /// Soonest first.
    Next,
    /// Highest first.
    Price,
    /// Highest first.
    Spent,
    /// Highest first.
    Net,
}

/// Jobs, with what they sum up to.
#[derive(Debug)]
pub struct Listing {
    pub lines: Vec<JobLine>,
    /// Live and paper apart, live first.
    pub totals: Vec<Total>,
    pub now: Timestamp,
    /// Nobody works on them.
    pub dead: Option<Dead>,
}

/// Sums of the jobs of one realm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Total {
    pub realm: Realm,
    pub jobs: usize,
    pub spent_usd: Usd,
    pub gas_usd: Usd,
    /// Of the jobs whose net is known.
    pub net_usd: Usd,
    /// Jobs whose net is not known yet.
    pub unknown: usize,
}

/// Decision of the last slot; displayed as `TAKE_PROFIT` for a trade, `hold: in_range` for a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastDecision {
    pub traded: bool,
    /// The trade's or the hold's reason.
    pub reason: String,
}

impl fmt::Display for LastDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hold = if self.traded { "" } else { "hold: " };
        write!(f, "{hold}{}", self.reason)
    }
}

impl Serialize for LastDecision {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        shown(self, serializer)
    }
}

impl JobLine {
    pub(super) const fn waiting(&self) -> Waiting {
        Waiting {
            next_slot: self.next_slot,
            late_since: self.late_since,
        }
    }

    pub(super) fn new(job: &Job, pulse: &Pulse, now: Timestamp) -> Self {
        let price = pulse.last_price.map(|(price, _)| price);
        let last = pulse.last_decision.as_ref();
        let unrealized = match price {
            Some(price) => unrealized(&job.position, price).ok(),
            // Without tokens there is nothing whose price matters.
            None => job.position.token_balance.is_zero().then_some(Usd::ZERO),
        };
        let net = unrealized.and_then(|open| net(job.position.realized_pnl, open, job.gas_usd).ok());
        let money_in = job.pocket.money_in();
        Self {
            job: job.id,
            symbol: job.token.symbol.clone(),
            token: job.token.address,
            chain: job.account.chain.clone(),
            realm: job.account.realm,
            mode: job.mode,
            basket: job.config.rules.basket().map(|rules| rules.name.clone()),
            status: job.status,
            archived_at: job.archived_at,
            price_usd: price,
            price_sources: job.config.price.sources.clone(),
            position: Whole::new(job.position.token_balance, job.token.decimals),
            position_units: job.position.token_balance,
            spent_usd: job.total_accumulated,
            average_cost_usd: average_cost(&job.position),
            realized_usd: job.position.realized_pnl,
            unrealized_usd: unrealized,
            gas_usd: job.gas_usd,
            net_usd: net,
            money_in_usd: money_in,
            return_pct: net.and_then(|net| return_pct(net, money_in)),
            last_decision: last.map(|(outcome, reason, _)| LastDecision {
                traded: outcome == "trade",
                reason: reason.clone(),
            }),
            last_detail: last.and_then(|(_, _, detail)| detail.clone()),
            next_slot: pulse.next_slot,
            late_since: pulse.next_slot.filter(|slot| {
                let latest = LATE_AFTER.after(job.config.schedule.jitter.after(*slot));
                pulse.open_since.is_none() && latest < now
            }),
            paused_by: pulse.paused_by,
            timezone: job.config.schedule.timezone,
            signer_halted: pulse.halted,
        }
    }

    pub(super) fn needs_attention(&self) -> bool {
        self.status == JobStatus::Error || self.signer_halted || self.late_since.is_some()
    }
}

/// The jobs that were not removed and fit.
pub async fn list(app: &App, request: &ListRequest) -> Result<Listing, AppError> {
    check_chain(app, request.chain.as_deref()).await?;
    let text = request.token.as_deref().unwrap_or_default();
    let named = if text.to_ascii_lowercase().starts_with("0x") {
        Some(address(text)?)
    } else {
        None
    };
    let name = request.token.as_deref().filter(|_| named.is_none());
    let filter = Filter {
        token: named,
        chain: request.chain.clone(),
        status: request.status,
        archived: request.archived,
        realm: request.realm,
        called: name.map(called),
        after: request.page.map(|page| page.after),
        limit: request.page.map(|page| page.limit),
    };
    let mut jobs = known::list(&app.pool, &app.memory, &filter).await?;
    if let Some(basket) = &request.basket {
        jobs.retain(|job| {
            job.config
                .rules
                .basket()
                .is_some_and(|rules| rules.name == *basket)
        });
    }
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let alive = alive(app).await?;
    let pulses = views::pulses(&app.pool, &ids).await?;
    let lines = jobs.iter().zip(&pulses);
    let mut lines: Vec<JobLine> = lines
        .map(|(job, pulse)| JobLine::new(job, pulse, alive.now))
        .collect();
    sort(&mut lines, request.sort);
    let totals = [Realm::Live, Realm::Paper].into_iter();
    Ok(Listing {
        totals: totals.filter_map(|realm| total(&lines, realm)).collect(),
        now: alive.now,
        dead: alive.missing(lines.iter().map(JobLine::waiting)),
        lines,
    })
}

/// The lines of these jobs, by number. One that cannot be read is left out.
pub(super) async fn lines_of(app: &App, jobs: &[JobId], now: Timestamp) -> Result<Vec<JobLine>, AppError> {
    let found = jobs::by_ids(&app.pool, jobs).await?;
    let found: Vec<Job> = found.into_iter().filter_map(Result::ok).collect();
    let ids: Vec<JobId> = found.iter().map(|job| job.id).collect();
    let pulses = views::pulses(&app.pool, &ids).await?;
    let lines = found.iter().zip(&pulses);
    Ok(lines.map(|(job, pulse)| JobLine::new(job, pulse, now)).collect())
}

fn sort(lines: &mut [JobLine], by: SortBy) {
    lines.sort_by(|one, other| {
        let order = match by {
            SortBy::Attention => {
                let rank = |line: &JobLine| (!line.needs_attention(), line.realm != Realm::Live);
                rank(one).cmp(&rank(other))
            }
            SortBy::Job => Ordering::Equal,
            SortBy::Token => {
                let name = |line: &JobLine| line.symbol.to_lowercase();
                name(one).cmp(&name(other))
            }
            SortBy::Status => {
                let rank = |line: &JobLine| match line.status {
                    JobStatus::Error => 0,
                    JobStatus::Liquidating => 1,
                    JobStatus::Running => 2,
                    JobStatus::Paused => 3,
                    JobStatus::Idle => 4,
                };
                rank(one).cmp(&rank(other))
            }
            SortBy::Next => {
                let next = |line: &JobLine| (line.next_slot.is_none(), line.next_slot);
                next(one).cmp(&next(other))
            }
            SortBy::Price => other.price_usd.cmp(&one.price_usd),
            SortBy::Spent => other.spent_usd.cmp(&one.spent_usd),
            SortBy::Net => other.net_usd.cmp(&one.net_usd),
        };
        order.then(one.job.cmp(&other.job))
    });
}

/// `None` without such jobs, or if a sum is past the range of USD.
fn total(lines: &[JobLine], realm: Realm) -> Option<Total> {
    let of_realm: Vec<&JobLine> = lines.iter().filter(|line| line.realm == realm).collect();
    let sum = |figure: &dyn Fn(&JobLine) -> Usd| {
        let figures = of_realm.iter().map(|line| figure(line));
        figures.into_iter().try_fold(Usd::ZERO, Usd::checked_add).ok()
    };
    (!of_realm.is_empty()).then_some(())?;
    Some(Total {
        realm,
        jobs: of_realm.len(),
        spent_usd: sum(&|line| line.spent_usd)?,
        gas_usd: sum(&|line| line.gas_usd)?,
        net_usd: sum(&|line| line.net_usd.unwrap_or(Usd::ZERO))?,
        unknown: of_realm.iter().filter(|line| line.net_usd.is_none()).count(),
    })
}
