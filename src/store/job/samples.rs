//! Price samples: one a series and bucket, and what a window of them says.

use alloy_primitives::Address;
use sqlx::PgPool;

use crate::domain::{
    Timestamp,
    decision::MovingAverage,
    price::series,
    samples::{High, History, LONGEST_SHARE, Samples},
    span::Span,
    units::Price,
};
use crate::store::{
    StoreError,
    columns::{lower, price, price_micros, unsigned},
    jobs::Job,
};

/// A sample to keep, and the windows to look at.
#[derive(Debug, Clone)]
pub struct SampleWindow {
    /// Chain name.
    pub chain: String,
    /// The token.
    pub token: Address,
    /// Source and parameters.
    pub series: String,
    /// The accepted price now.
    pub price: Price,
    /// The instant it is for.
    pub observed_at: Timestamp,
    /// The recent high is looked for from here on.
    pub high_since: Timestamp,
    /// Length of the moving average's window; zero = not wanted.
    pub average_over: Span,
    /// What an earlier look at this window found.
    pub known: Option<KnownHigh>,
    /// How old a price may be when it is accepted: a sample may be written that much later than its instant.
    pub late: Span,
}

/// The highest stored sample of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleHigh {
    /// Its price.
    pub price: Price,
    /// Its instant; of several the newest.
    pub at: Timestamp,
    /// Where the window began.
    pub since: Timestamp,
}

/// A [`SampleHigh`] and how far it had looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownHigh {
    /// What was found.
    pub high: SampleHigh,
    /// The end of the window it was found in.
    pub until: Timestamp,
}

impl SampleWindow {
    /// What is known and still the highest of all up to where it was looked: it is inside the window, which begins no
    /// earlier than the one it was found in.
    fn known_inside(&self) -> Option<KnownHigh> {
        let inside = self.high_since..=self.observed_at;
        self.known
            .filter(|known| known.high.since <= self.high_since && inside.contains(&known.high.at))
    }

    /// From where on samples have to be read.
    fn look_from(&self, interval: Span) -> Timestamp {
        self.known_inside().map_or(self.high_since, |known| {
            // Two intervals more, for the tick that writes it.
            let overlapped = interval.before(interval.before(self.late.before(known.until)));
            overlapped.max(self.high_since)
        })
    }

    fn highest(&self, read: Option<(Price, Timestamp)>) -> Option<SampleHigh> {
        let known = self.known_inside().map(|known| (known.high.price, known.high.at));
        let (price, at) = known.into_iter().chain(read).max()?;
        Some(SampleHigh {
            price,
            at,
            since: self.high_since,
        })
    }
}

/// What a look back found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowHistory {
    /// What the rules decide on.
    pub history: History,
    /// What the next look back may start from.
    pub sample_high: Option<SampleHigh>,
}

/// Keeps one sample a window and bucket (the first one seen stays), and looks back. One statement for all.
///
/// A sample stands until the next one, but never for more than a fifth of the window.
///
/// # Errors
/// [`StoreError`].
pub async fn observe(
    pool: &PgPool,
    windows: &[SampleWindow],
    interval: Span,
) -> Result<Vec<WindowHistory>, StoreError> {
    if windows.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Columns::of(windows, interval);
    let rows = sqlx::query_file!(
        "src/store/sql/samples_observe.sql",
        &columns.chain,
        &columns.token,
        &columns.series,
        &columns.price,
        &columns.observed_at,
        &columns.look_from,
        &columns.average_secs,
        interval.std().as_secs_f64(),
        LONGEST_SHARE,
    )
    .fetch_all(pool)
    .await?;
    if rows.len() != windows.len() {
        return Err(StoreError::Corrupt {
            column: "price_samples",
            value: format!("{} rows", rows.len()),
        });
    }
    windows
        .iter()
        .zip(rows)
        .map(|(window, row)| {
            let read = row
                .high
                .map(|value| price("price_samples.price", value))
                .transpose()?
                .zip(row.high_at);
            let sample_high = window.highest(read);
            let average = match (row.weighted, row.held_micros) {
                (Some(weighted), Some(held)) if held > 0 => MovingAverage::of(
                    price_micros("price_samples.price", &weighted)?,
                    unsigned("price_samples.observed_at", held)?,
                    window.average_over,
                ),
                _ => None,
            };
            let history = History {
                high: sample_high.map_or(window.price, |high| high.price.max(window.price)),
                average,
            };
            Ok(WindowHistory { history, sample_high })
        })
        .collect()
}

/// Names the series of samples that a job's rules look at: that of its first source.
#[must_use]
pub fn series_of(job: &Job) -> String {
    let config = &job.config.price;
    config.sources.first().map_or_else(String::new, |first| {
        series(*first, config, job.quote.address, job.config.venue.pool)
    })
}

/// The highest stored sample of a job's series from `since` on.
///
/// # Errors
/// [`StoreError`].
pub async fn highest(pool: &PgPool, job: &Job, since: Timestamp) -> Result<Option<Price>, StoreError> {
    let highest = sqlx::query_scalar!(
        "SELECT max(price) FROM price_samples
         WHERE chain = $1 AND token = $2 AND series = $3 AND bucket >= $4::timestamptz - interval '1 hour'
           AND observed_at >= $4",
        job.account.chain,
        lower(job.token.address) as _,
        series_of(job),
        since,
    )
    .fetch_one(pool)
    .await?;
    highest
        .map(|value| price("price_samples.price", value))
        .transpose()
}

/// The samples of a job's series from `since` on, oldest first: of each `step` the last one.
///
/// # Errors
/// [`StoreError`].
pub async fn thinned(
    pool: &PgPool,
    job: &Job,
    since: Timestamp,
    step: Span,
) -> Result<Vec<(Timestamp, Price)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (floor(extract(epoch FROM observed_at)::float8 / $5)) observed_at, price FROM price_samples
           WHERE chain = $1 AND token = $2 AND series = $3 AND bucket >= $4::timestamptz - interval '1 hour'
             AND observed_at >= $4
           ORDER BY floor(extract(epoch FROM observed_at)::float8 / $5), observed_at DESC"#,
        job.account.chain,
        lower(job.token.address) as _,
        series_of(job),
        since,
        step.std().as_secs_f64(),
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.observed_at, price("price_samples.price", row.price)?)))
        .collect()
}

/// The mean of a job's samples over `window`, as a tick at `now` would find it.
///
/// # Errors
/// [`StoreError`].
pub async fn average(
    pool: &PgPool,
    job: &Job,
    window: Span,
    now: Timestamp,
) -> Result<Option<MovingAverage>, StoreError> {
    // One window further back: a sample from before it may still stand at its start.
    let rows = sqlx::query!(
        "SELECT price, observed_at FROM price_samples
         WHERE chain = $1 AND token = $2 AND series = $3 AND bucket >= $4 AND observed_at < $5
         ORDER BY observed_at",
        job.account.chain,
        lower(job.token.address) as _,
        series_of(job),
        window.before(window.before(now)),
        now,
    )
    .fetch_all(pool)
    .await?;
    // They were kept one an interval already.
    let mut samples = Samples::new(Span::ZERO, window);
    for row in rows {
        let sample = High::of(price("price_samples.price", row.price)?);
        samples.keep(sample, row.observed_at.timestamp_micros());
    }
    Ok(samples.observe(Price::ONE, now, now).average)
}

#[derive(Default)]
struct Columns {
    chain: Vec<String>,
    token: Vec<String>,
    series: Vec<String>,
    price: Vec<rust_decimal::Decimal>,
    observed_at: Vec<Timestamp>,
    look_from: Vec<Timestamp>,
    average_secs: Vec<f64>,
}

impl Columns {
    fn of(windows: &[SampleWindow], interval: Span) -> Self {
        let mut columns = Self::default();
        for window in windows {
            columns.chain.push(window.chain.clone());
            columns.token.push(lower(window.token));
            columns.series.push(window.series.clone());
            columns.price.push(window.price.decimal());
            columns.observed_at.push(window.observed_at);
            columns.look_from.push(window.look_from(interval));
            columns.average_secs.push(window.average_over.std().as_secs_f64());
        }
        columns
    }
}
