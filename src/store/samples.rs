//! Price samples: one a series and bucket, and what a window of them says.

use alloy_primitives::Address;
use sqlx::PgPool;

use super::{
    StoreError,
    numeric::{lower, price, price_micros, unsigned},
};
use crate::domain::{
    Timestamp,
    decision::MovingAverage,
    samples::{History, LONGEST_SHARE},
    span::Span,
    units::Price,
};

/// A sample to keep, and the windows to look at.
#[derive(Debug, Clone)]
pub struct Window {
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
}

/// Keeps one sample a window and bucket (the first one seen stays), and looks back. One statement for all.
///
/// A sample stands until the next one, but never for more than a fifth of the window.
///
/// # Errors
/// [`StoreError`].
pub async fn observe(pool: &PgPool, windows: &[Window], interval: Span) -> Result<Vec<History>, StoreError> {
    if windows.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Columns::of(windows);
    let rows = sqlx::query_file!(
        "src/store/sql/samples_observe.sql",
        &columns.chain,
        &columns.token,
        &columns.series,
        &columns.price,
        &columns.observed_at,
        &columns.high_since,
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
            let stored = row
                .high
                .map(|value| price("price_samples.price", value))
                .transpose()?;
            let average = match (row.weighted, row.held_micros) {
                (Some(weighted), Some(held)) if held > 0 => MovingAverage::of(
                    price_micros("price_samples.price", &weighted)?,
                    unsigned("price_samples.observed_at", held)?,
                    window.average_over,
                ),
                _ => None,
            };
            Ok(History {
                high: stored.map_or(window.price, |stored| stored.max(window.price)),
                average,
            })
        })
        .collect()
}

#[derive(Default)]
struct Columns {
    chain: Vec<String>,
    token: Vec<String>,
    series: Vec<String>,
    price: Vec<rust_decimal::Decimal>,
    observed_at: Vec<Timestamp>,
    high_since: Vec<Timestamp>,
    average_secs: Vec<f64>,
}

impl Columns {
    fn of(windows: &[Window]) -> Self {
        let mut columns = Self::default();
        for window in windows {
            columns.chain.push(window.chain.clone());
            columns.token.push(lower(window.token));
            columns.series.push(window.series.clone());
            columns.price.push(window.price.decimal());
            columns.observed_at.push(window.observed_at);
            columns.high_since.push(window.high_since);
            columns.average_secs.push(window.average_over.std().as_secs_f64());
        }
        columns
    }
}
