//! Renders a backtest as one self-contained HTML file: no network, no other file. Pure: a result in, text out.

mod data;
mod error;
mod figures;
mod html;
mod settings;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::{
    backtest::{result::BacktestResult, thin},
    domain::job::JobMode,
};

pub use data::{POINTS_MAX, TRADES_MAX};
pub use error::ReportError;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const THEME: &str = include_str!("theme.js");
const CHARTS: &str = include_str!("charts.js");

/// Apache ECharts, located by build.rs in the crate that ships it.
const LIBRARY: &str = include_str!(concat!(env!("OUT_DIR"), "/echarts.min.js"));

/// The whole page.
///
/// # Errors
/// [`ReportError`].
pub fn page(result: &BacktestResult) -> Result<String, ReportError> {
    let data = data::json(result)?;
    let name = html::escape(&result.series.name);
    let mode = match result.setup.mode {
        JobMode::Accumulate => "Accumulating",
        JobMode::Liquidity => "Liquidity",
    };
    Ok(html::fill(PAGE, |place| match place {
        "policy" => policy(),
        "version" => env!("CARGO_PKG_VERSION").to_owned(),
        "title" => format!("Backtest of {name}"),
        "heading" => format!("{mode} over {name}"),
        "period" => figures::period(result),
        "style" => STYLE.to_owned(),
        "theme" => THEME.to_owned(),
        "verdict" => figures::verdict(result),
        "cards" => figures::cards(result),
        "warnings" => figures::warnings(result),
        "figures" => figures::compared(result),
        "rules" => figures::rules(result),
        "reasons" => figures::reasons(result),
        "config" => settings::tables(&result.setup),
        "notes" => html::list("plain", &notes(result)),
        "data" => data.clone(),
        "library" => LIBRARY.to_owned(),
        "script" => CHARTS.to_owned(),
        _ => String::new(),
    }))
}

/// Content security policy: no external resources, and only our three scripts, by hash.
fn policy() -> String {
    let hashes: Vec<String> = [THEME, LIBRARY, CHARTS]
        .iter()
        .map(|script| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script.as_bytes()))))
        .collect();
    format!(
        "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hashes.join(" ")
    )
}

fn notes(result: &BacktestResult) -> Vec<String> {
    let series = &result.series;
    let mut notes = vec![format!(
        "Prices: {}, {} {} from {} to {} UTC, usually {} apart.",
        series.name,
        series.rows,
        if series.candles { "candles" } else { "rows" },
        html::moment(series.first),
        html::moment(series.last),
        series.spacing,
    )];
    notes.extend(result.setup.assumptions.iter().cloned());
    notes.push(thin::RULE.to_owned());
    notes.extend(data::too_many(&result.trades).iter().map(|(reason, (count, every))| {
        format!(
            "Of {count} {reason} trades, every {} is drawn and listed here; the CSV file of trades has all of them.",
            html::ordinal(*every),
        )
    }));
    notes
}
