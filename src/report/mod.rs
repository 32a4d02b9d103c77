//! Renders a backtest as one self-contained HTML file: no network, no other file. Pure: a result in, text out.

mod basket;
mod data;
mod error;
mod figures;
mod frame;
mod html;
mod settings;

use crate::{
    backtest::{result::BacktestResult, thin},
    domain::{Timestamp, job::JobMode},
};

pub use basket::{BASKET_POINTS_MAX, basket_page};
pub use data::{POINTS_MAX, TRADES_MAX};
pub use error::ReportError;

const PAGE: &str = concat!(include_str!("head.html"), include_str!("page.html"));
const INVENTORY: &str = include_str!("inventory.html");
const CHARTS: &str = include_str!("charts.js");

/// Apache ECharts, located by build.rs in the crate that ships it.
const LIBRARY: &str = include_str!(concat!(env!("OUT_DIR"), "/echarts.min.js"));

/// The whole page; `made`: when, for the reader.
///
/// # Errors
/// [`ReportError`].
pub fn page(result: &BacktestResult, made: Timestamp) -> Result<String, ReportError> {
    let data = data::json(result)?;
    Ok(html::fill(PAGE, |place| match place {
        "policy" => policy(&[]),
        "version" => env!("CARGO_PKG_VERSION").to_owned(),
        "made" => made.format("%Y-%m-%d").to_string(),
        "title" => title(result),
        "heading" => heading(result),
        "period" => figures::period(&result.summary, "ticks"),
        "style" => frame::STYLE.to_owned(),
        "theme" => frame::THEME.to_owned(),
        "verdict" => figures::verdict(result),
        "cards" => figures::cards(result),
        "warnings" => figures::warnings(&result.summary, result.series.warnings.iter().cloned()),
        "figures" => figures::compared(result),
        "rules" => figures::rules(result),
        "reasons" => figures::reasons(result),
        "config" => settings::tables(&result.setup),
        "inventory" => inventory(result),
        "notes" => html::list("plain", &notes(result)),
        "data" => data.clone(),
        "library" => LIBRARY.to_owned(),
        "script" => CHARTS.to_owned(),
        _ => String::new(),
    }))
}

/// What was traded, as text of a page: `PEPE`, or the file's name.
fn token(result: &BacktestResult) -> String {
    html::escape(result.setup.symbol.as_ref().unwrap_or(&result.series.name))
}

fn title(result: &BacktestResult) -> String {
    frame::title(&token(result), result.series.invented)
}

fn heading(result: &BacktestResult) -> String {
    let name = html::escape(&result.series.name);
    let what = match (result.setup.mode, &result.setup.symbol) {
        (JobMode::Accumulate, Some(_)) => format!("Accumulating {} over {name}", token(result)),
        (JobMode::Accumulate, None) => format!("Accumulating over {name}"),
        (JobMode::Liquidity, Some(_)) => format!("Liquidity of {} over {name}", token(result)),
        (JobMode::Liquidity, None) => format!("Liquidity over {name}"),
        (JobMode::Order, Some(_)) => format!("An order for {} over {name}", token(result)),
        (JobMode::Order, None) => format!("An order over {name}"),
        (JobMode::Basket, _) => format!("A basket over {name}"),
    };
    frame::heading(&what, result.series.invented)
}

/// The chart of the tokens' share, for a job that keeps one.
fn inventory(result: &BacktestResult) -> String {
    if result.setup.config.rules.budget().is_none() {
        return String::new();
    }
    INVENTORY.to_owned()
}

/// Content security policy: no external resources, and only our three scripts and `more`, by hash.
#[must_use]
pub fn policy(more: &[&str]) -> String {
    frame::policy(&[&[frame::THEME, LIBRARY, CHARTS], more].concat())
}

fn notes(result: &BacktestResult) -> Vec<String> {
    let mut notes = vec![format!("Prices: {}", figures::source(&result.series))];
    notes.extend(result.setup.assumptions.iter().cloned());
    notes.push(thin::RULE.to_owned());
    let too_many = data::too_many(&result.trades, TRADES_MAX);
    notes.extend(too_many.iter().map(|(reason, (count, every))| {
        format!(
            "Of {count} {reason} trades, every {} is drawn and listed here; the CSV file of trades has all of them.",
            html::ordinal(*every),
        )
    }));
    notes
}
