//! `backtest` of a basket: a file of prices for each member.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use chrono::Utc;

use super::{page, sweep};
use crate::{
    app::{
        AppError,
        backtest::{self, BasketRequest},
    },
    backtest::{
        Detail,
        basket::{BasketResult, Charted},
        result::Summary,
        series::ReadOptions,
    },
    cli::out::{Out, dollars, moment, table},
    config::{Settings, members},
    report,
};

/// What was given for it.
pub(super) struct Given<'a> {
    pub(super) prices: &'a [PathBuf],
    pub(super) config: Option<&'a Path>,
    pub(super) set: &'a [String],
    pub(super) read: ReadOptions,
    pub(super) sweep: &'a sweep::SweepArgs,
    /// Flags that only one token has, and whether they were given.
    pub(super) single: [(&'static str, bool); 4],
    pub(super) report: Option<&'a Path>,
}

pub(super) fn run(settings: &Settings, out: Out, given: &Given<'_>) -> Result<(), AppError> {
    if let Some((flag, _)) = given.single.iter().find(|(_, is_given)| *is_given) {
        return Err(AppError::Usage(format!(
            "{flag}: a basket has several tokens; leave it out (--json prints the trades of all; symbol and decimals stand \
             in each [[member]])"
        )));
    }
    let Some(file) = given.config else {
        return Err(AppError::Usage(
            "a backtest of a basket needs the file with its [[member]] tables: give it with --config"
                .to_owned(),
        ));
    };
    let mut found = members(file)?;
    for member in &mut found {
        member.given = member.given.clone().assignments(given.set, "--set")?;
    }
    let request = BasketRequest {
        prices: given.prices.to_vec(),
        read: given.read,
        members: found,
    };
    if given.sweep.is_asked_for() {
        let best = sweep::run_basket(settings, out, &request, given.sweep)?;
        if let Some(path) = given.report {
            let best = run_basket(settings, &request, (&best, backtest::BASKET_DRAWN))?;
            return written(out, path, &best);
        }
        return Ok(());
    }
    let detail = match given.report {
        Some(_) => backtest::BASKET_DRAWN,
        None => Detail {
            trades: out.is_json(),
            ..Detail::SUMMARY
        },
    };
    let done = run_basket(settings, &request, (&[], detail))?;
    if let Some(path) = given.report {
        written(out, path, &done)?;
    }
    out.show(&done.0, render)
}

fn run_basket(
    settings: &Settings,
    request: &BasketRequest,
    wanted: (&[String], Detail),
) -> Result<(BasketResult, Charted), AppError> {
    backtest::run_basket(settings, request, wanted, &AtomicBool::new(false))
}

fn written(out: Out, path: &Path, (result, charted): &(BasketResult, Charted)) -> Result<(), AppError> {
    page::write(out, path, &report::basket_page(result, charted, Utc::now()))
}

fn render(result: &BasketResult) -> String {
    let span = result.summary.from.zip(result.summary.to);
    let span = span.map_or_else(
        || "no slot was due within the prices".to_owned(),
        |(from, to)| format!("{} to {} UTC", moment(from), moment(to)),
    );
    let mut text = format!("basket of {} members: {span}\n", result.members.len());
    for member in &result.members {
        for warning in &member.series.warnings {
            text.push_str(&format!("warning: {}: {warning}\n", member.series.name));
        }
    }
    let mut rows: Vec<Vec<String>> = result
        .members
        .iter()
        .map(|member| {
            let name = member.setup.symbol.as_ref().unwrap_or(&member.series.name);
            row(name, &member.summary)
        })
        .collect();
    rows.push(row("basket", &result.summary));
    rows.push(row("kept instead", &result.kept));
    text.push_str(&table(
        &[
            "",
            "money in",
            "value",
            "net",
            "% of money",
            "fees",
            "gas",
            "buys",
            "sells",
        ],
        rows,
    ));
    let fall = &result.summary.drawdown;
    text.push_str(&format!(
        "\n\ndeepest drawdown of the basket: {:.2} %, {} USD\n\nassumptions:",
        fall.pct.round_dp(2),
        dollars(fall.usd)
    ));
    for assumption in &result.assumptions {
        text.push_str(&format!("\n- {assumption}"));
    }
    text
}

fn row(name: &str, summary: &Summary) -> Vec<String> {
    vec![
        name.to_owned(),
        dollars(summary.money_in_usd),
        dollars(summary.value_usd),
        dollars(summary.net_usd),
        summary
            .return_pct
            .map_or_else(|| "-".to_owned(), |pct| format!("{:.2}", pct.round_dp(2))),
        dollars(summary.fees_usd),
        dollars(summary.gas_usd),
        summary.buys.to_string(),
        summary.sells.to_string(),
    ]
}
