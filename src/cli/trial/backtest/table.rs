//! A backtest as text.

use crate::{
    backtest::result::{BacktestResult, HoldTotal, ReasonTotal, Summary},
    cli::out::{dollars, moment, price, table, tokens},
    domain::{Timestamp, decision::Side, span::Span},
};

pub(in super::super) fn render(result: &BacktestResult) -> String {
    let mut text = heading(result);
    text.push_str(&figures(result));
    let summary = &result.summary;
    if summary.by_reason.is_empty() {
        text.push_str("\n\nno trades");
    } else {
        text.push_str("\n\n");
        text.push_str(&by_reason(&summary.by_reason));
    }
    if !summary.holds.is_empty() {
        text.push_str("\n\n");
        text.push_str(&holds(&summary.holds, summary.ticks));
    }
    text.push_str("\n\nassumptions:");
    for assumption in &result.setup.assumptions {
        text.push_str(&format!("\n- {assumption}"));
    }
    text
}

fn heading(result: &BacktestResult) -> String {
    let (series, setup) = (&result.series, &result.setup);
    let (kind, from) = match series.candles {
        true => ("candles", ", each used from its close"),
        false => ("rows", ""),
    };
    // Of a candle people name the day on which it opens.
    let named = |at: Timestamp| match series.candles {
        true => moment(series.spacing.before(at)),
        false => moment(at),
    };
    let mut text = format!(
        "mode {} over {}: {} to {} UTC, {} {kind}, {} apart{from}\n",
        setup.mode.to_string().to_lowercase(),
        series.name,
        named(series.first),
        named(series.last),
        series.rows,
        series.spacing,
    );
    for warning in &series.warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    text
}

fn figures(result: &BacktestResult) -> String {
    let mut header = vec![String::new(), "these rules".to_owned()];
    let mut columns = vec![&result.summary];
    for comparison in &result.comparisons {
        header.push(comparison.plan.to_string());
        columns.push(&comparison.summary);
    }
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let row = |name: &str, show: &dyn Fn(&Summary) -> String| {
        let mut row = vec![name.to_owned()];
        row.extend(columns.iter().map(|summary| show(summary)));
        row
    };
    let setup = &result.setup;
    let rows = vec![
        row("money in, USD", &|s| dollars(s.money_in_usd)),
        row("bought, USD", &|s| dollars(s.spent_usd)),
        row("sold, USD", &|s| dollars(s.proceeds_usd)),
        row("cash from sells, USD", &|s| dollars(s.cash_usd)),
        row("tokens held", &|s| {
            tokens(s.token_balance.to_whole(setup.token_decimals))
        }),
        row("quote owned", &|s| {
            tokens(s.quote_balance.to_whole(setup.quote_decimals))
        }),
        row("value, USD", &|s| dollars(s.value_usd)),
        row("average cost", &|s| price(s.average_cost)),
        row("realised, USD", &|s| dollars(s.realized_usd)),
        row("unrealised, USD", &|s| dollars(s.unrealized_usd)),
        row("fees (in the prices), USD", &|s| dollars(s.fees_usd)),
        row("gas, USD", &|s| dollars(s.gas_usd)),
        row("net, USD", &|s| dollars(s.net_usd)),
        row("net, % of money in", &|s| {
            s.return_pct
                .map_or_else(none, |percent| format!("{:.2}", percent.round_dp(2)))
        }),
        row(
            "money-weighted, % a year",
            &|s| match (s.money_weighted_pct, s.money_weighted_none) {
                (Some(percent), _) => format!("{percent:.2}"),
                (None, why) => why.map_or_else(none, |why| why.to_string()),
            },
        ),
        row("deepest drawdown, %", &|s| {
            format!("{:.2}", s.drawdown.pct.round_dp(2))
        }),
        row("deepest drawdown, USD", &|s| dollars(s.drawdown.usd)),
        row("buys, sells", &|s| format!("{}, {}", s.buys, s.sells)),
        row("longest wait", &longest_wait),
    ];
    let shown = |row: &Vec<String>| {
        // Most runs own no quote or sell nothing; such rows would be empty.
        let empty = ["0", "0.00", "-"];
        let name = row.first().map_or("", String::as_str);
        let spare = [
            "quote owned",
            "sold, USD",
            "cash from sells, USD",
            "realised, USD",
        ]
        .contains(&name);
        !(spare && row.iter().skip(1).all(|cell| empty.contains(&cell.as_str())))
    };
    table(&header, rows.into_iter().filter(shown))
}

fn by_reason(totals: &[ReasonTotal]) -> String {
    table(
        &["rule", "side", "trades", "USD"],
        totals.iter().map(|total| {
            vec![
                total.reason.to_string(),
                match total.side {
                    Side::Buy => "buy".to_owned(),
                    Side::Sell => "sell".to_owned(),
                },
                total.trades.to_string(),
                dollars(total.usd),
            ]
        }),
    )
}

fn holds(totals: &[HoldTotal], ticks: u64) -> String {
    table(
        &["hold reason", "ticks", "%"],
        totals.iter().map(|total| {
            let share = u128::from(total.ticks) * 10_000 / u128::from(ticks.max(1));
            vec![
                total.reason.to_string(),
                total.ticks.to_string(),
                format!("{}.{:02}", share / 100, share % 100),
            ]
        }),
    )
}

fn longest_wait(summary: &Summary) -> String {
    summary.longest_wait.map_or_else(none, |wait| {
        let secs = u64::try_from((wait.to - wait.from).num_seconds()).unwrap_or(0);
        Span::from_secs(secs).to_string()
    })
}

fn none() -> String {
    "-".to_owned()
}
