//! A generated price series, for experiments.

use alloy_primitives::Address;
use chrono::{TimeDelta, Utc};
use rust_decimal::Decimal;

use super::{
    AppError,
    message::{Field, message},
};
use crate::{
    domain::{
        Timestamp,
        config::{GeneratedConfig, JobConfig},
        job::JobMode,
        span::Span,
    },
    prices::{self, csv::FIRST},
};

pub use prices::csv::INVENTED;

/// Most rows of one series.
const ROWS_MAX: u64 = 20_000_000;

#[derive(Debug)]
pub struct SeriesRequest {
    /// Validated like a job's `price.generated` keys.
    pub generated: GeneratedConfig,
    /// Instant of the first row.
    pub from: Timestamp,
    pub length: Span,
    /// Interval between rows.
    pub every: Span,
}

/// A series that can be generated: equal requests always give equal prices.
#[derive(Debug)]
pub struct GeneratedSeries {
    request: SeriesRequest,
    rows: u64,
}

impl GeneratedSeries {
    /// # Errors
    /// [`AppError::Config`], [`AppError::Usage`] for a value out of range or a series that is too long.
    pub fn new(request: SeriesRequest) -> Result<Self, AppError> {
        let mut config = JobConfig::for_mode(JobMode::Accumulate);
        config.price.generated = request.generated.clone();
        config.validate(JobMode::Accumulate).map_err(AppError::Config)?;
        Ok(Self {
            rows: rows(&request)?,
            request,
        })
    }

    /// Number of rows.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// What the series was made of, without commas: a line of a CSV file.
    pub fn made_by(&self) -> String {
        let GeneratedConfig {
            seed,
            start_usd,
            swing_pct,
            period,
        } = &self.request.generated;
        format!("generated; seed {seed}; mean {start_usd} USD; swings of {swing_pct} % in about {period}")
    }

    /// USD per whole token at each instant.
    pub fn iter(&self) -> impl Iterator<Item = (Timestamp, Decimal)> {
        let SeriesRequest {
            generated,
            from,
            every,
            ..
        } = &self.request;
        let mut next = *from;
        (0..self.rows).map(move |_| {
            let at = next;
            next += every.delta();
            (at, prices::generated(generated, Address::ZERO, at))
        })
    }
}

fn rows(request: &SeriesRequest) -> Result<u64, AppError> {
    let SeriesRequest {
        from, length, every, ..
    } = request;
    let rows = length.std().as_millis().checked_div(every.std().as_millis());
    let last = from.checked_add_signed(length.delta());
    let tomorrow = Utc::now() + TimeDelta::days(1);
    if *from < FIRST {
        let problem = format!(
            " {from}: before {}, where no file of prices may begin",
            FIRST.format("%Y-%m-%d")
        );
        return Err(message![Field::From, problem].bad_input());
    }
    let latest = length.before(Utc::now());
    if last.is_some_and(|last| last > tomorrow) && latest < FIRST {
        let problem = format!(" {length}: longer than any series that ends today; use a shorter ");
        return Err(message![Field::For, problem, Field::For].bad_input());
    }
    match rows.map(u64::try_from) {
        Some(Ok(_)) if last.is_some_and(|last| last > tomorrow) => Err(message![
            Field::For,
            format!(" {length}: the last row would be later than tomorrow, and no file of prices may have such; use "),
            Field::From,
            format!(" {} or earlier", latest.format("%Y-%m-%dT00:00:00Z")),
        ]
        .bad_input()),
        None => Err(message![Field::Every, " 0s: must be longer than 0"].bad_input()),
        Some(Ok(rows)) if rows < ROWS_MAX && last.is_some() => Ok(rows.saturating_add(1)),
        Some(_) => Err(message![
            Field::For,
            format!(" {length} "),
            Field::Every,
            format!(" {every}: more than {ROWS_MAX} rows; use a longer "),
            Field::Every,
        ]
        .bad_input()),
    }
}
