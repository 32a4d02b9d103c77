//! What jobs earned: by day, week, month or year, for each job and for all of a realm.
//!
//! Live and paper are never added together. Everything is in USD, whatever a job pays with. A fill that was reorged out
//! counts nowhere, gas counts when its transaction was mined, and what is held is valued once, now.

use std::collections::{BTreeMap, HashMap};

use futures::StreamExt;
use serde::Serialize;

use super::{
    export::{JobChoice, Period, read_zone},
    taken_out::{self, TakenOut},
};
use crate::{
    app::{App, AppError},
    domain::{
        Timestamp,
        accounting::unrealized,
        calendar::{Calendar, Interval},
        config::SourceName,
        decision::Position,
        figures::net,
        ids::JobId,
        job::Realm,
        units::{Amount, MoneyError, Price, Usd},
        zone::Zone,
    },
    store::{
        moves::{self, Move, Party},
        payouts::Payout,
        pnl::{Holding, Snapshot},
    },
};

/// What to add up.
#[derive(Debug, Clone, Default)]
pub struct PnlRequest {
    /// Of these jobs, removed ones too.
    pub jobs: JobChoice,
    /// How time is divided.
    pub by: Calendar,
    /// From this day or time on.
    pub from: Option<String>,
    /// Until this day, which is included, or until before this time.
    pub to: Option<String>,
    /// The zone of all days; `None`: that of the jobs' schedules if it is the same for all, else UTC.
    pub zone: Option<String>,
}

/// What was earned, before and after gas.
#[derive(Debug, Serialize)]
pub struct Pnl {
    pub by: Calendar,
    #[serde(serialize_with = "crate::app::whole::shown")]
    pub zone: Zone,
    pub from: Option<Timestamp>,
    /// The first instant that is not included any more.
    pub until: Option<Timestamp>,
    /// Whether what is held now is part of the totals: not if the period has ended.
    pub held_now: bool,
    /// Live first; a realm in which nothing was traded and nothing is held is left out.
    pub realms: Vec<RealmPnl>,
}

/// All chosen jobs of a realm.
#[derive(Debug, Serialize)]
pub struct RealmPnl {
    pub realm: Realm,
    /// Days, weeks, months or years in which something was earned or paid, oldest first.
    pub periods: Vec<PeriodPnl>,
    pub total: Earned,
    /// What was taken out of wallets, next to profit; its gas is part of the periods and of the total. None if nothing
    /// was, or if jobs are named: it belongs to none.
    pub taken_out: Option<TakenOut>,
    pub jobs: Vec<JobPnl>,
}

#[derive(Debug, Serialize)]
pub struct JobPnl {
    pub job: JobId,
    pub symbol: String,
    pub chain: String,
    /// Ticker of what it pays with; all figures are in USD.
    pub quote: String,
    pub removed: bool,
    /// Where its prices come from now; empty if its configuration cannot be read.
    pub price_sources: Vec<SourceName>,
    pub periods: Vec<PeriodPnl>,
    pub total: Earned,
}

/// What was earned and paid in a period.
#[derive(Debug, Clone, Serialize)]
pub struct PeriodPnl {
    /// `2026-01-31`, `2026-W05`, `2026-01`, `2026`.
    pub period: String,
    #[serde(flatten)]
    pub interval: Interval,
    /// Fills.
    pub trades: u64,
    /// Proceeds less cost of what was sold, before gas.
    pub realized_usd: Usd,
    /// Gas of everything that was mined, failed, approve and cancel transactions included.
    pub gas_usd: Usd,
    /// Realised less gas.
    pub net_usd: Usd,
}

/// The total of a job or a realm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Earned {
    /// Fills.
    pub trades: u64,
    /// Proceeds less cost of what was sold, before gas.
    pub realized_usd: Usd,
    /// Value less cost of what is held now, before gas; none without a price, or if the period has ended.
    pub unrealized_usd: Option<Usd>,
    /// Gas of everything that was mined.
    pub gas_usd: Usd,
    /// Realised plus unrealised less gas; none while tokens are held that have no price yet.
    pub net_usd: Option<Usd>,
}

/// Adds up what these jobs earned.
///
/// # Errors
/// As for an export; [`AppError::Internal`] if a sum leaves its range.
pub async fn pnl(app: &App, request: &PnlRequest) -> Result<Pnl, AppError> {
    let parties = moves::parties(&app.pool).await?;
    let chosen = request.jobs.of(&parties, &app.settings)?;
    let numbers: Vec<i64> = chosen.iter().map(|party| party.job.0).collect();
    let mut ledger = Snapshot::open(&app.pool).await?;
    let holdings = ledger.holdings(&numbers).await?;
    let zone = match &request.zone {
        Some(zone) => read_zone(zone)?,
        None => zone_of(&holdings),
    };
    let period = Period::read_in(request.from.as_deref(), request.to.as_deref(), zone)?;
    let held_now = period.has(ledger.now().await?);
    let mut sums: HashMap<JobId, Sums> = HashMap::new();
    let mut history = ledger.moves(&numbers, period.until);
    while let Some(moved) = history.next().await {
        let moved = moved?;
        if period.has(moved.at) {
            let interval = request.by.interval(zone, moved.at);
            sums.entry(moved.job)
                .or_default()
                .add(&moved, interval)
                .map_err(broken)?;
        }
    }
    drop(history);
    let payouts = ledger.payouts(period.until).await?;
    let payouts: Vec<&Payout> = payouts
        .iter()
        .filter(|paid| period.has(paid.at) && request.jobs.has_payouts_of(&paid.account))
        .collect();
    let by_number: HashMap<JobId, &Party> = chosen.iter().map(|party| (party.job, *party)).collect();
    let mut realms = Vec::new();
    for realm in [Realm::Live, Realm::Paper] {
        let mut lines = Vec::new();
        for holding in &holdings {
            let Some(party) = by_number.get(&holding.job).filter(|party| party.realm() == realm) else {
                continue;
            };
            let sums = sums.remove(&holding.job).unwrap_or_default();
            if !sums.all.is_nothing() || (held_now && !holding.tokens.is_zero()) {
                let line = JobPnl::new(party, holding, (request.by, &sums), held_now);
                lines.push((line.map_err(broken)?, sums));
            }
        }
        let payouts = payouts.iter().copied().filter(|paid| paid.account.realm == realm);
        let taken_out = taken_out::sum(payouts.clone()).map_err(broken)?;
        if lines.is_empty() && taken_out.is_none() {
            continue;
        }
        let mut gas = Sums::default();
        for paid in payouts {
            let interval = request.by.interval(zone, paid.at);
            gas.pay_gas(paid.gas_usd, interval).map_err(broken)?;
        }
        let line = RealmPnl::new(realm, request.by, lines, held_now, (taken_out, gas));
        realms.push(line.map_err(broken)?);
    }
    Ok(Pnl {
        by: request.by,
        zone,
        from: period.from,
        until: period.until,
        held_now,
        realms,
    })
}

fn broken(error: MoneyError) -> AppError {
    AppError::Internal(format!("the figures do not add up: {error}"))
}

/// The zone that all schedules have; UTC if they differ, or if one cannot be read.
fn zone_of(holdings: &[Holding]) -> Zone {
    let mut zones = holdings.iter().map(|holding| {
        let zone = holding.zone.as_deref().map(str::parse);
        zone.and_then(Result::ok).unwrap_or(Zone::UTC)
    });
    let first = zones.next().unwrap_or(Zone::UTC);
    if zones.all(|zone| zone == first) {
        first
    } else {
        Zone::UTC
    }
}

/// What was earned and paid.
#[derive(Debug, Clone, Copy)]
struct Sum {
    trades: u64,
    /// Rows that earned or paid something.
    rows: u64,
    realized: Usd,
    gas: Usd,
}

impl Default for Sum {
    fn default() -> Self {
        Self {
            trades: 0,
            rows: 0,
            realized: Usd::ZERO,
            gas: Usd::ZERO,
        }
    }
}

impl Sum {
    const fn is_nothing(&self) -> bool {
        self.rows == 0
    }

    fn plus(self, other: Self) -> Result<Self, MoneyError> {
        Ok(Self {
            trades: self.trades.saturating_add(other.trades),
            rows: self.rows.saturating_add(other.rows),
            realized: self.realized.checked_add(other.realized)?,
            gas: self.gas.checked_add(other.gas)?,
        })
    }

    /// `unrealized`: `None` if it is no part of the total, `Some(None)` if it is not known.
    fn total(self, unrealized: Option<Option<Usd>>) -> Result<Earned, MoneyError> {
        let open = unrealized.unwrap_or(Some(Usd::ZERO));
        Ok(Earned {
            trades: self.trades,
            realized_usd: self.realized,
            unrealized_usd: unrealized.flatten(),
            gas_usd: self.gas,
            net_usd: open.map(|open| net(self.realized, open, self.gas)).transpose()?,
        })
    }
}

/// The sum of a job, and its parts by period.
#[derive(Debug, Clone, Default)]
struct Sums {
    all: Sum,
    by_period: BTreeMap<Interval, Sum>,
}

impl Sums {
    fn add(&mut self, moved: &Move, interval: Option<Interval>) -> Result<(), MoneyError> {
        let sum = Sum {
            trades: moved.is_fill().into(),
            rows: 1,
            realized: moved.earned()?,
            gas: moved.gas_usd.unwrap_or(Usd::ZERO),
        };
        self.put(sum, interval)
    }

    /// Gas of a withdrawal.
    fn pay_gas(&mut self, gas: Usd, interval: Option<Interval>) -> Result<(), MoneyError> {
        let sum = Sum {
            rows: 1,
            gas,
            ..Sum::default()
        };
        self.put(sum, interval)
    }

    fn put(&mut self, sum: Sum, interval: Option<Interval>) -> Result<(), MoneyError> {
        if sum.trades == 0 && sum.realized == Usd::ZERO && sum.gas == Usd::ZERO {
            return Ok(());
        }
        self.all = self.all.plus(sum)?;
        if let Some(interval) = interval {
            let part = self.by_period.entry(interval).or_default();
            *part = part.plus(sum)?;
        }
        Ok(())
    }

    /// Adds other sums, period by period.
    fn plus(&mut self, other: &Self) -> Result<(), MoneyError> {
        self.all = self.all.plus(other.all)?;
        for (interval, sum) in &other.by_period {
            let part = self.by_period.entry(*interval).or_default();
            *part = part.plus(*sum)?;
        }
        Ok(())
    }

    fn periods(&self, by: Calendar) -> Result<Vec<PeriodPnl>, MoneyError> {
        let parts = self.by_period.iter().map(|(interval, sum)| {
            Ok(PeriodPnl {
                period: by.name(interval),
                interval: *interval,
                trades: sum.trades,
                realized_usd: sum.realized,
                gas_usd: sum.gas,
                net_usd: net(sum.realized, Usd::ZERO, sum.gas)?,
            })
        });
        parts.collect()
    }
}

/// Value less cost of what is held; `None` without a price.
fn open_gain(holding: &Holding) -> Result<Option<Usd>, MoneyError> {
    if holding.tokens.is_zero() {
        return Ok(Some(Usd::ZERO));
    }
    let position = Position {
        token_balance: holding.tokens,
        token_decimals: holding.decimals,
        cost_basis: holding.cost_basis,
        owns_quote: false,
        quote_balance: Amount::ZERO,
        quote_decimals: 0,
        quote_price: Price::ONE,
        realized_pnl: Usd::ZERO,
    };
    holding
        .price
        .map(|price| unrealized(&position, price))
        .transpose()
}

impl JobPnl {
    fn new(
        party: &Party,
        holding: &Holding,
        (by, sums): (Calendar, &Sums),
        held_now: bool,
    ) -> Result<Self, MoneyError> {
        let open = held_now.then(|| open_gain(holding)).transpose()?;
        Ok(Self {
            job: party.job,
            symbol: party.token.symbol.clone(),
            chain: party.account.chain.clone(),
            quote: party.quote.symbol.clone(),
            removed: holding.removed,
            price_sources: holding
                .sources
                .clone()
                .and_then(|sources| serde_json::from_value(sources).ok())
                .unwrap_or_default(),
            periods: sums.periods(by)?,
            total: sums.all.total(open)?,
        })
    }
}

impl RealmPnl {
    fn new(
        realm: Realm,
        by: Calendar,
        lines: Vec<(JobPnl, Sums)>,
        held_now: bool,
        (taken_out, gas): (Option<TakenOut>, Sums),
    ) -> Result<Self, MoneyError> {
        let mut all = gas;
        let mut open = Some(Usd::ZERO);
        for (line, sums) in &lines {
            all.plus(sums)?;
            open = match (open, line.total.unrealized_usd) {
                (Some(open), Some(more)) => Some(open.checked_add(more)?),
                _ => None,
            };
        }
        Ok(Self {
            realm,
            periods: all.periods(by)?,
            total: all.all.total(held_now.then_some(open))?,
            taken_out,
            jobs: lines.into_iter().map(|(line, _)| line).collect(),
        })
    }
}
