//! What happened: decisions, trades, orders, events and what operators wrote, in the order of time.

use std::collections::HashSet;

use alloy_primitives::Address;
use chrono::TimeDelta;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::export::JobChoice;
use crate::{
    app::{
        App, AppError,
        message::{Field, message},
        whole::Whole,
    },
    domain::{
        Timestamp,
        calendar::start_of,
        decision::Side,
        ids::JobId,
        moment::Moment,
        span::Span,
        units::{Amount, Usd},
        zone::Zone,
    },
    store::{self, logs, moves},
};

/// A row may become visible this much later than the time that it bears, such as a slot that was late.
const LATE: TimeDelta = TimeDelta::minutes(20);

/// Maximum number of entries that one look finds.
const MOST: i64 = 10_000;

/// What an entry moved, with its figures in whole units.
#[derive(Debug, Clone, PartialEq)]
pub enum Moved {
    /// A trade that was filled.
    Trade {
        side: Side,
        tokens: Whole,
        symbol: String,
        quote: Whole,
        quote_symbol: String,
        usd: Option<Usd>,
        gas: Usd,
    },
    /// A withdrawal: what it pays, to whom; once it has ended, what that was worth and its gas.
    Payout {
        amount: Whole,
        symbol: String,
        receiver: Address,
        usd: Option<Usd>,
        gas: Option<Usd>,
    },
}

/// Figures of an entry as the ledger has them.
#[derive(Deserialize)]
struct Figures {
    side: Option<Side>,
    symbol: String,
    decimals: u8,
    base_amount: Option<Amount>,
    quote: Option<String>,
    quote_decimals: Option<u8>,
    quote_amount: Option<Amount>,
    quote_usd: Option<Decimal>,
    amount: Option<Amount>,
    receiver: Option<Address>,
    value_usd: Option<Decimal>,
    gas_usd: Option<Decimal>,
}

impl Moved {
    /// `None` of what moved nothing, or of figures that cannot be read: the line is then shown without them.
    fn of(entry: &logs::Entry) -> Option<Self> {
        let ended = entry.kind == "end" && entry.name == "EXECUTED";
        if !ended && entry.kind != "withdrawal" && entry.kind != "payout" {
            return None;
        }
        let found: Figures = serde_json::from_value(entry.fields.clone()).ok()?;
        let usd = |value: Option<Decimal>| value.and_then(|value| Usd::new(value).ok());
        if !ended {
            return Some(Self::Payout {
                amount: Whole::new(found.amount?, found.decimals),
                symbol: found.symbol,
                receiver: found.receiver?,
                usd: usd(found.value_usd),
                gas: usd(found.gas_usd),
            });
        }
        Some(Self::Trade {
            side: found.side?,
            tokens: Whole::new(found.base_amount?, found.decimals),
            symbol: found.symbol,
            quote: Whole::new(found.quote_amount?, found.quote_decimals?),
            quote_symbol: found.quote?,
            usd: usd(found.quote_usd),
            gas: usd(found.gas_usd)?,
        })
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogLine {
    pub at: Timestamp,
    /// `hold`, `trade` (a plan), `end` (of a trade), `order` (a command to a job), `event`, `audit`, `withdrawal` (an
    /// order) or `payout` (its end).
    pub kind: String,
    pub id: i64,
    pub job: Option<i64>,
    pub realm: Option<String>,
    pub chain: Option<String>,
    pub symbol: Option<String>,
    /// A hold's or trade's reason, a status, an action or an event's name.
    pub name: String,
    pub detail: Option<String>,
    pub fields: Value,
    /// Zone of the job's schedule; UTC without a job.
    #[serde(skip)]
    pub timezone: Zone,
    /// `fields` of what moved, in whole units.
    #[serde(skip)]
    pub moved: Option<Moved>,
}

impl From<logs::Entry> for LogLine {
    fn from(entry: logs::Entry) -> Self {
        Self {
            moved: Moved::of(&entry),
            at: entry.at,
            kind: entry.kind,
            id: entry.id,
            job: entry.job_id,
            realm: entry.realm,
            chain: entry.chain,
            symbol: entry.symbol,
            name: entry.name,
            detail: entry.detail,
            fields: entry.fields,
            timezone: entry
                .timezone
                .and_then(|zone| zone.parse().ok())
                .unwrap_or(Zone::UTC),
        }
    }
}

/// A day's beginning, or a time.
fn instant(text: &str) -> Result<Timestamp, AppError> {
    let wrong = |what: &str| {
        let problem = format!(
            " {text}: {what}; write a length of time, such as 2h or 7d, or a day or a time of UTC, such as 2026-01-31 or \
             2026-01-31T18:30"
        );
        message![Field::Since, problem].bad_input()
    };
    match Moment::read(text, Zone::UTC).map_err(|why| wrong(&why))? {
        Moment::Instant(at) => Ok(at),
        Moment::Day(day) => start_of(day, Zone::UTC).ok_or_else(|| wrong("there is no such day")),
    }
}

/// What happens to these jobs, from an instant on.
pub struct Logs<'a> {
    app: &'a App,
    jobs: Option<Vec<JobId>>,
    since: Timestamp,
    seen: HashSet<(String, i64)>,
}

impl<'a> Logs<'a> {
    /// `since`: a length of time such as `2h`, or a time as for an export; a day if it is not given.
    ///
    /// # Errors
    /// [`AppError::Usage`] if no such job or time exists.
    pub async fn open(app: &'a App, choice: &JobChoice, since: Option<&str>) -> Result<Self, AppError> {
        let now = store::now(&app.pool).await?;
        let back = since.map_or(Ok(Span::from_secs(24 * 3_600)), str::parse::<Span>);
        let since = match (back, since) {
            (Ok(back), _) => before(now, back),
            (Err(_), text) => instant(text.unwrap_or_default())?,
        };
        let jobs = if choice.is_all() {
            None
        } else {
            let parties = moves::parties(&app.pool).await?;
            let chosen = choice.of(&parties, &app.settings)?;
            Some(chosen.iter().map(|party| party.job).collect())
        };
        Ok(Self {
            app,
            jobs,
            since,
            seen: HashSet::new(),
        })
    }

    /// The newest `limit` entries so far, oldest first.
    ///
    /// # Errors
    /// [`AppError`] if the database fails.
    pub async fn newest(&mut self, limit: i64) -> Result<Vec<LogLine>, AppError> {
        // What is not shown now is not shown as new later.
        self.unseen().await?;
        let lines = self.entries(self.since, limit).await?;
        let names = lines.iter().map(|line| (line.kind.clone(), line.id));
        self.seen.extend(names);
        Ok(lines)
    }

    /// The entries that appeared since the last call, oldest first.
    ///
    /// # Errors
    /// [`AppError`] if the database fails.
    pub async fn unseen(&mut self) -> Result<Vec<LogLine>, AppError> {
        let now = store::now(&self.app.pool).await?;
        let recent = self.entries(now - LATE, MOST).await?;
        let mut seen = HashSet::new();
        let mut fresh = Vec::new();
        for line in recent {
            let name = (line.kind.clone(), line.id);
            if !self.seen.contains(&name) {
                fresh.push(line);
            }
            seen.insert(name);
        }
        self.seen = seen;
        Ok(fresh)
    }

    async fn entries(&self, since: Timestamp, limit: i64) -> Result<Vec<LogLine>, AppError> {
        let found = logs::entries(&self.app.pool, self.jobs.as_deref(), since, limit).await?;
        Ok(found.into_iter().map(LogLine::from).collect())
    }
}

/// `back` before an instant; the first instant there is if that is too far.
fn before(now: Timestamp, back: Span) -> Timestamp {
    TimeDelta::from_std(back.std())
        .ok()
        .and_then(|back| now.checked_sub_signed(back))
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
