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
        html::{
            cell, count, dollars, duration, escape, list, moment, number, ordinal, percent, price, signed,
            table, tokens, tone,
        },
        settings,
    },
};

/// Most trades that are listed; the newest ones.
const LISTED: usize = 1_000;

/// Its ticker, or the name of its file.
pub(super) fn name(member: &MemberResult) -> String {
    let ticker = member.setup.symbol.clone();
    ticker.unwrap_or_else(|| member.series.name.clone())
}

pub(super) fn heading(result: &BasketResult, names: &[String]) -> String {
    let what = format!("A basket of {}", escape(&names.join(", ")));
    if result.members.iter().any(|member| member.series.invented) {
        format!(
            "{what} <span class=\"invented\" title=\"Prices were generated: nobody ever paid them.\">INVENTED prices</span>"
        )
    } else {
        what
    }
}

pub(super) fn period(summary: &Summary) -> String {
    match (summary.from, summary.to) {
        (Some(from), Some(to)) => format!(
            "{} to {} UTC ({}), {} ticks of all members",
            moment(from),
            moment(to),
            duration(from, to),
            count(summary.ticks),
        ),
        _ => "No tick was due within the prices".to_owned(),
    }
}

pub(super) fn verdict(result: &BasketResult) -> String {
    let (own, kept) = (&result.summary, &result.kept);
    let Some(return_pct) = own.return_pct else {
        return "Nothing was traded: the hold reasons below say why.".to_owned();
    };
    let more = own.net_usd.checked_sub(kept.net_usd).ok();
    let against = match (more, kept.return_pct) {
        (Some(more), Some(made)) => format!(
            " That is {} USD against the same shares bought once and kept ({}).",
            signed(more),
            percent(made)
        ),
        _ => String::new(),
    };
    format!(
        "The members put {} USD in, and ended with tokens and money worth {} USD: <strong class=\"{}\">{} USD ({})</strong> \
         after fees and gas.{}",
        dollars(own.money_in_usd),
        dollars(own.value_usd),
        tone(own.net_usd.decimal()),
        signed(own.net_usd),
        percent(return_pct),
        escape(&against),
    )
}

pub(super) fn cards(result: &BasketResult) -> String {
    let (own, kept) = (&result.summary, &result.kept);
    let of = |summary: &Summary| summary.return_pct.map_or_else(|| "-".to_owned(), percent);
    let net = |summary: &Summary| format!("{} USD", signed(summary.net_usd));
    let fall = own.drawdown.at.map_or_else(
        || "never below a peak".to_owned(),
        |at| format!("{} USD, {}", dollars(own.drawdown.usd), at.format("%Y-%m-%d")),
    );
    let costs = format!("fees {}, gas {}", dollars(own.fees_usd), dollars(own.gas_usd));
    let trades = format!("{} / {}", own.buys, own.sells);
    [
        figures::card(
            "Net",
            tone(own.net_usd.decimal()),
            &net(own),
            &format!("{} of {} USD in", of(own), dollars(own.money_in_usd)),
        ),
        figures::card("Deepest drawdown", "", &percent(-own.drawdown.pct), &fall),
        figures::card("Buys / sells", "", &trades, &costs),
        figures::card(
            "Kept instead",
            tone(kept.net_usd.decimal()),
            &of(kept),
            &net(kept),
        ),
    ]
    .concat()
}

pub(super) fn warnings(result: &BasketResult, names: &[String]) -> String {
    let each = result.members.iter().zip(names).flat_map(|(member, name)| {
        let warnings = member.series.warnings.iter();
        warnings.map(move |warning| format!("{name}: {warning}"))
    });
    let warnings: Vec<String> = each.collect();
    if warnings.is_empty() {
        return String::new();
    }
    format!("<div class=\"note\">{}</div>", list("", &warnings))
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
        number(&summary.return_pct.map_or_else(|| "-".to_owned(), percent)),
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
                let reason = format!(
                    "<td><code>{}</code><br><span class=\"dim\">{}</span></td>",
                    total.reason,
                    escape(total.reason.explain())
                );
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
        skipped => {
            format!("<p class=\"about\">The newest {LISTED}; {skipped} older ones are left out.</p>")
        }
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

pub(super) fn notes(result: &BasketResult, names: &[String]) -> Vec<String> {
    let mut notes = Vec::new();
    for (member, name) in result.members.iter().zip(names) {
        notes.push(format!("{name}: {}", figures::source(&member.series)));
        let too_many = data::too_many(&member.trades);
        notes.extend(
            too_many.values().map(|(count, every)| {
                format!("{name}: of {count} trades, every {} is drawn.", ordinal(*every))
            }),
        );
    }
    notes.extend(result.assumptions.iter().cloned());
    notes.push(thin::RULE.to_owned());
    notes
}
