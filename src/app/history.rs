//! Past prices of a token, from its pool's candles.

use std::path::PathBuf;

use alloy_primitives::Address;
use chrono::{SecondsFormat, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    AppError,
    message::{Field, Message, message},
    whole::{checksum, shown},
};
use crate::{
    backtest::result::Interval,
    config::Settings,
    domain::{Timestamp, brief, units::Price},
    embedded,
    prices::geckoterminal::{Candles, Geckoterminal, HistoryError, ListedPool, ListedToken, Wish},
};

pub use crate::prices::{
    csv::SOURCE,
    geckoterminal::{PoolId, Step, parse_step},
};

/// History that is fetched if no beginning is given.
const USUAL: TimeDelta = TimeDelta::days(180);
/// Most candles of one request: ten hours of a page each two seconds would be no use.
const CANDLES_MAX: i64 = 600_000;
/// Other pools that are named.
const OTHERS_SHOWN: usize = 3;

/// Token, pool and period of a history.
#[derive(Debug, Clone)]
pub struct HistoryRequest {
    pub token: Address,
    pub chain: String,
    /// `None`: the deepest.
    pub pool: Option<PoolId>,
    /// `None`: half a year before the end.
    pub from: Option<Timestamp>,
    /// `None`: now.
    pub to: Option<Timestamp>,
    pub step: Step,
}

/// A pool as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct PoolView {
    pub id: PoolId,
    pub name: String,
    pub dex: String,
    /// Money in it, USD, by what the source says.
    pub depth_usd: Decimal,
    pub created_at: Option<Timestamp>,
}

/// A price of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PastPrice {
    /// End of its candle.
    pub time: Timestamp,
    /// USD per whole token.
    pub price: Price,
}

/// What was found, and what is missing.
#[derive(Debug, Serialize)]
pub struct History {
    #[serde(serialize_with = "checksum")]
    pub token: Address,
    pub chain: String,
    pub symbol: String,
    pub source: &'static str,
    pub pool: PoolView,
    /// Others that trade the token, the deepest first.
    pub other_pools: Vec<PoolView>,
    #[serde(serialize_with = "shown")]
    pub step: Step,
    pub from: Timestamp,
    pub to: Timestamp,
    pub rows: usize,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// Where the source has nothing older.
    pub begins: Option<Timestamp>,
    /// Candles without a trade between the first and the last.
    pub missing: i64,
    /// Runs of them.
    pub gaps: usize,
    /// From the last price before it to the first after it.
    pub longest_gap: Option<Interval>,
    /// Rows of the source that could not be used.
    pub unusable: u64,
    /// Requests for candles; all others were on disk.
    pub requests: u64,
    pub remarks: Vec<Message>,
    /// Oldest first.
    pub prices: Vec<PastPrice>,
}

impl HistoryRequest {
    fn span(&self, now: Timestamp) -> Result<(Timestamp, Timestamp), AppError> {
        let to = self.to.map_or(now, |to| to.min(now));
        let from = self
            .from
            .unwrap_or_else(|| to.checked_sub_signed(USUAL).unwrap_or(to));
        if from >= to {
            let problem = format!(
                " {}: not before {}, where the prices end; give an earlier ",
                brief_time(from),
                brief_time(to)
            );
            return Err(message![Field::From, problem, Field::From].bad_input());
        }
        let candles = (to - from).num_seconds() / self.step.span().delta().num_seconds().max(1);
        if candles > CANDLES_MAX {
            let problem = format!(
                " {}: {candles} candles, and the most is {CANDLES_MAX}; give a longer ",
                self.step
            );
            return Err(
                message![Field::Step, problem, Field::Step, ", or a later ", Field::From].bad_input(),
            );
        }
        Ok((from, to))
    }
}

/// A client that keeps what it fetches under the data directory.
pub(super) fn source(settings: &Settings, chain: &str) -> Result<Geckoterminal, AppError> {
    let dir = &settings.database.data_dir;
    let data = if dir.is_empty() {
        embedded::default_data_dir()?
    } else {
        PathBuf::from(dir)
    };
    Geckoterminal::new(&settings.geckoterminal, &data.join("cache/prices"), chain).map_err(failed)
}

/// Past prices of a token. `progress` hears how far back it is, before each request.
///
/// # Errors
/// [`AppError`]; what was fetched before it is kept, and is not asked for again.
pub async fn fetch(
    settings: &Settings,
    request: &HistoryRequest,
    progress: impl Fn(Timestamp),
) -> Result<History, AppError> {
    let now = Utc::now();
    let (from, to) = request.span(now)?;
    let source = source(settings, &request.chain)?;
    let listed = source.token(request.token).await.map_err(failed)?;
    let (pool, others) = choose(request, &listed)?;
    let wish = Wish {
        token: request.token,
        pool: pool.id.clone(),
        step: request.step,
        from,
        to,
    };
    let found = source.candles(&wish, now, progress).await.map_err(failed)?;
    let gaps = Gaps::of(&found, request.step);
    let history = History {
        token: request.token,
        chain: request.chain.clone(),
        symbol: listed.symbol.to_string(),
        source: "GeckoTerminal",
        remarks: remarks(request, &pool, &others, &found, from),
        other_pools: others,
        pool,
        step: request.step,
        from,
        to,
        rows: found.rows.len(),
        first: found.rows.first().map(|(at, _)| *at),
        last: found.rows.last().map(|(at, _)| *at),
        begins: found.begins,
        missing: gaps.missing,
        gaps: gaps.count,
        longest_gap: gaps.longest,
        unusable: found.unusable,
        requests: found.requests,
        prices: found
            .rows
            .into_iter()
            .map(|(time, price)| PastPrice { time, price })
            .collect(),
    };
    if history.rows == 0 {
        let problem = format!(
            "{} has no candle of {} in pool {} between {} and {}; give an earlier ",
            history.source,
            history.step,
            history.pool.id.as_str(),
            brief_time(from),
            brief_time(to)
        );
        return Err(AppError::Network(
            message![problem, Field::From, ", or another ", Field::Pool].to_string(),
        ));
    }
    Ok(history)
}

/// The pool that was asked for, else the deepest; and the others.
fn choose(request: &HistoryRequest, listed: &ListedToken) -> Result<(PoolView, Vec<PoolView>), AppError> {
    let mut pools: Vec<PoolView> = listed.pools.iter().map(PoolView::from).collect();
    let place = match &request.pool {
        None => 0,
        Some(asked) => match pools.iter().position(|pool| pool.id == *asked) {
            Some(place) => place,
            // The list has the largest pools only.
            None => {
                pools.insert(
                    0,
                    PoolView {
                        id: asked.clone(),
                        name: String::new(),
                        dex: String::new(),
                        depth_usd: Decimal::ZERO,
                        created_at: None,
                    },
                );
                0
            }
        },
    };
    if place >= pools.len() {
        return Err(AppError::Internal("a token without pools was listed".to_owned()));
    }
    let pool = pools.remove(place);
    pools.truncate(OTHERS_SHOWN);
    Ok((pool, pools))
}

impl From<&ListedPool> for PoolView {
    fn from(pool: &ListedPool) -> Self {
        Self {
            id: pool.id.clone(),
            name: pool.name.to_string(),
            dex: pool.dex.to_string(),
            depth_usd: pool.depth_usd,
            created_at: pool.created_at,
        }
    }
}

fn remarks(
    request: &HistoryRequest,
    pool: &PoolView,
    others: &[PoolView],
    found: &Candles,
    from: Timestamp,
) -> Vec<Message> {
    let mut remarks = Vec::new();
    if let Some(begins) = found.begins.filter(|begins| *begins > from) {
        let why = found.denied.as_ref().map_or_else(
            || "GeckoTerminal has nothing older of this pool".to_owned(),
            |why| format!("nothing older is given: {why}"),
        );
        remarks.push(format!("begins {}: {why}", brief_time(begins)).into());
        let older = others.iter().find(|other| {
            other
                .created_at
                .is_some_and(|at| pool.created_at.is_some_and(|own| at < own))
                && other.depth_usd > Decimal::ZERO
        });
        if let (Some(older), None) = (older, &request.pool) {
            let since = older.created_at.map(brief_time).unwrap_or_default();
            remarks.push(message![
                format!("an older pool, of {since}: "),
                Field::Pool,
                format!(" {}", older.id.as_str()),
            ]);
        }
    }
    if found.unusable > 0 {
        remarks.push(
            format!(
                "{} rows of the source have no usable time or price",
                found.unusable
            )
            .into(),
        );
    }
    remarks
}

/// Minutes are enough: candles have no seconds.
fn brief_time(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%MZ").to_string()
}

/// Runs of candles without a trade.
struct Gaps {
    missing: i64,
    count: usize,
    longest: Option<Interval>,
}

impl Gaps {
    fn of(found: &Candles, step: Step) -> Self {
        let step = step.span().delta();
        let mut gaps = Self {
            missing: 0,
            count: 0,
            longest: None,
        };
        for pair in found.rows.windows(2) {
            let [(before, _), (after, _)] = pair else { continue };
            let distance = *after - *before;
            if distance <= step {
                continue;
            }
            gaps.count += 1;
            let steps = distance.num_seconds() / step.num_seconds().max(1);
            gaps.missing += steps - 1;
            if gaps
                .longest
                .is_none_or(|longest| distance > longest.to - longest.from)
            {
                gaps.longest = Some(Interval {
                    from: *before,
                    to: *after,
                });
            }
        }
        gaps
    }
}

/// A failure in the request's words.
pub(super) fn failed(error: HistoryError) -> AppError {
    match error {
        HistoryError::Chain(why) => message![Field::Chain, format!(": {why}")].bad_input(),
        HistoryError::Unknown { .. } => {
            message![error.to_string(), "; check the address and ", Field::Chain].bad_input()
        }
        HistoryError::File { path, source } => AppError::Io { what: path, source },
        HistoryError::Source(_) | HistoryError::Denied(_) | HistoryError::Later(_) => {
            AppError::Network(error.to_string())
        }
    }
}

impl History {
    /// As a file of prices: what made it, a heading, and one row for each price.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut text = format!("{}\ntime,price\n", self.made_by());
        for row in &self.prices {
            let time = row.time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            text.push_str(&format!("{time},{}\n", row.price));
        }
        text
    }

    /// The line above the table of its file: without commas, and without a stranger's words.
    #[must_use]
    pub fn made_by(&self) -> String {
        format!(
            "{SOURCE} {} on {} from {}; pool {}; last prices of candles of {}",
            self.token.to_checksum(None),
            self.chain,
            self.source,
            self.pool.id.as_str(),
            self.step
        )
    }

    /// Depth of the pool as it is shown.
    #[must_use]
    pub fn depth(&self) -> String {
        brief::grouped(&self.pool.depth_usd.round().to_string())
    }
}
