//! Renders a backtest as one self-contained HTML file: no network, no other file. Pure: a result in, text out.

mod basket;
mod csp;
mod data;
mod error;
mod figures;
mod html;
mod settings;

use crate::{
    backtest::{result::BacktestResult, thin},
    domain::{Timestamp, job::JobMode},
};

pub use basket::basket_page;
pub use data::{POINTS_MAX, TRADES_MAX};
pub use error::ReportError;

const PAGE: &str = include_str!("page.html");
const INVENTORY: &str = include_str!("inventory.html");
const STYLE: &str = include_str!("style.css");
const THEME: &str = include_str!("theme.js");
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
    let invented = if result.series.invented {
        " (INVENTED prices)"
    } else {
        ""
    };
    format!("Backtest of {}{invented}", token(result))
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
    if result.series.invented {
        format!(
            "{what} <span class=\"invented\" title=\"The prices were generated: nobody ever paid them.\">INVENTED prices</span>"
        )
    } else {
        what
    }
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
    csp::of(&[&[THEME, LIBRARY, CHARTS], more].concat())
}

fn notes(result: &BacktestResult) -> Vec<String> {
    let mut notes = vec![format!("Prices: {}", figures::source(&result.series))];
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
