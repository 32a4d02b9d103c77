//! The sentences and tables of a basket's report.

use crate::{
    backtest::{
        basket::{BasketResult, MemberResult},
        result::{Summary, TradeLine},
        thin,
    },
    domain::decision::Side,
    report::{
        data, figures,
        html::{cell, count, dollars, escape, moment, number, ordinal, price, signed, table, tokens},
        settings,
    },
};

/// Maximum number of trades that are listed; the newest ones.
const LISTED: usize = 1_000;

/// What a member is called: its ticker, or the name of its file; with its place if another one is called the same.
pub(super) fn names(result: &BasketResult) -> Vec<String> {
    let name = |member: &MemberResult| {
        let ticker = member.setup.symbol.clone();
        ticker.unwrap_or_else(|| member.series.name.clone())
    };
    let all: Vec<String> = result.members.iter().map(name).collect();
    let alone = |name: &String| all.iter().filter(|other| *other == name).count() < 2;
    all.iter()
        .zip(1_usize..)
        .map(|(name, place)| match alone(name) {
            true => name.clone(),
            false => format!("{name} (member {place})"),
        })
        .collect()
}

/// The names of all, as text of a page.
pub(super) fn all(names: &[String]) -> String {
    escape(&names.join(", "))
}

/// Whether prices of a member were generated.
pub(super) fn invented(result: &BasketResult) -> bool {
    result.members.iter().any(|member| member.series.invented)
}

pub(super) fn period(result: &BasketResult) -> String {
    figures::period(&result.summary, "ticks of all members")
}

pub(super) fn verdict(result: &BasketResult) -> String {
    let (own, kept) = (&result.summary, &result.kept);
    let got = format!(
        "and ended with tokens and money worth {} USD",
        dollars(own.value_usd)
    );
    let against = figures::compared_with(own, kept, "the same shares bought once and kept");
    let against: Vec<String> = against.into_iter().collect();
    figures::concluded("The members", own, &got, &against)
}

pub(super) fn cards(result: &BasketResult) -> String {
    let own = &result.summary;
    let costs = format!("fees {}, gas {}", dollars(own.fees_usd), dollars(own.gas_usd));
    let trades = format!("{} / {}", count(own.buys), count(own.sells));
    [
        figures::net_card(own),
        figures::drawdown_card(own),
        figures::card("Buys / sells", "", &trades, &costs),
        figures::instead_card("Kept instead", &result.kept),
    ]
    .concat()
}

pub(super) fn warnings(result: &BasketResult, names: &[String]) -> String {
    let each = result.members.iter().zip(names).flat_map(|(member, name)| {
        let warnings = member.series.warnings.iter();
        warnings.map(move |warning| format!("{name}: {warning}"))
    });
    figures::warnings(&result.summary, each)
}

pub(super) fn figures(result: &BasketResult, names: &[String]) -> String {
    let members = result.members.iter().zip(names);
    let mut rows: Vec<(String, Vec<String>)> = members
        .map(|(member, name)| (String::new(), row(name, &member.summary)))
        .collect();
    rows.push(("set".to_owned(), row("Basket", &result.summary)));
    rows.push((String::new(), row("Kept instead", &result.kept)));
    let header = [
        "", "Money in", "Value", "Net", "Of money", "Fees", "Gas", "Buys", "Sells",
    ];
    table("numbers", &header, &rows)
}

fn row(name: &str, summary: &Summary) -> Vec<String> {
    vec![
        format!("<th scope=\"row\">{}</th>", escape(name)),
        number(&dollars(summary.money_in_usd)),
        number(&dollars(summary.value_usd)),
        number(&signed(summary.net_usd)),
        number(&figures::return_of(summary)),
        number(&dollars(summary.fees_usd)),
        number(&dollars(summary.gas_usd)),
        number(&count(summary.buys)),
        number(&count(summary.sells)),
    ]
}

pub(super) fn reasons(result: &BasketResult, names: &[String]) -> String {
    let members = result.members.iter().zip(names);
    let rows: Vec<(String, Vec<String>)> = members
        .flat_map(|(member, name)| {
            let holds = member.summary.holds.iter();
            holds.map(move |total| {
                let reason = figures::reason_cell(total.reason);
                (
                    String::new(),
                    vec![cell(name), reason, number(&count(total.ticks))],
                )
            })
        })
        .collect();
    if rows.is_empty() {
        return "<p class=\"about\">Every tick traded.</p>".to_owned();
    }
    table("", &["Member", "Reason", "Ticks"], &rows)
}

/// All trades by time, the newest of them if there are too many.
pub(super) fn trades(result: &BasketResult, names: &[String]) -> String {
    let members = result.members.iter().zip(names);
    let mut all: Vec<(&TradeLine, u8, &String)> = members
        .flat_map(|(member, name)| {
            let decimals = member.setup.token_decimals;
            member.trades.iter().map(move |trade| (trade, decimals, name))
        })
        .collect();
    all.sort_by_key(|(trade, ..)| trade.at);
    if all.is_empty() {
        return "<p class=\"about\">Nothing was traded.</p>".to_owned();
    }
    let skipped = all.len().saturating_sub(LISTED);
    let rows: Vec<(String, Vec<String>)> = all.into_iter().skip(skipped).map(trade).collect();
    let header = [
        "Time (UTC)",
        "Member",
        "",
        "Price",
        "Fill",
        "USD",
        "Tokens",
        "Fees",
        "Gas",
        "Realised",
    ];
    let left_out = match skipped {
        0 => String::new(),
        skipped => format!(
            "<p class=\"about\">The newest {LISTED}; {skipped} older ones are left out. The JSON output of the backtest has \
             all.</p>"
        ),
    };
    format!("{left_out}{}", table("", &header, &rows))
}

fn trade((trade, decimals, name): (&TradeLine, u8, &String)) -> (String, Vec<String>) {
    let side = match trade.side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    };
    let cells = vec![
        cell(&moment(trade.at)),
        cell(name),
        cell(side),
        number(&price(Some(trade.price))),
        number(&price(Some(trade.fill_price))),
        number(&dollars(trade.quote_usd)),
        number(&tokens(&trade.base_amount.to_whole(decimals))),
        number(&dollars(trade.fee_usd)),
        number(&dollars(trade.gas_usd)),
        number(&signed(trade.realized_usd)),
    ];
    (String::new(), cells)
}

pub(super) fn config(result: &BasketResult, names: &[String]) -> String {
    let members = result.members.iter().zip(names);
    members
        .map(|(member, name)| {
            format!(
                "<details><summary>{}</summary>{}</details>",
                escape(name),
                settings::tables(&member.setup)
            )
        })
        .collect()
}

/// `most`: how many trades of a member are drawn.
pub(super) fn notes(result: &BasketResult, names: &[String], most: usize) -> Vec<String> {
    let mut notes = Vec::new();
    for (member, name) in result.members.iter().zip(names) {
        notes.push(format!("Prices of {name}: {}", figures::source(&member.series)));
        let too_many = data::too_many(&member.trades, most);
        notes.extend(too_many.iter().map(|(reason, (count, every))| {
            format!(
                "Of {count} {reason} trades of {name}, every {} is drawn.",
                ordinal(*every)
            )
        }));
    }
    notes.extend(result.assumptions.iter().cloned());
    notes.push(thin::RULE.to_owned());
    notes
}
