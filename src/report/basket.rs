//! The report of a basket: value, weights over time, each member's prices with its trades, and the tables. No script
//! but the theme's.

mod draw;
mod parts;

use rust_decimal::{Decimal, prelude::ToPrimitive};

use self::draw::{Chart, Line, Mark, Spot, chart};
use super::{csp, data, html};
use crate::{
    backtest::{
        basket::{BasketResult, Charted},
        result::{Point, RunResult, TradeLine},
    },
    domain::{Timestamp, decision::Side},
};

const PAGE: &str = include_str!("basket.html");
const STYLE: &str = include_str!("style.css");
const THEME: &str = include_str!("theme.js");

/// The whole page; `made`: when, for the reader.
#[must_use]
pub fn basket_page(result: &BasketResult, charted: &Charted, made: Timestamp) -> String {
    let names: Vec<String> = result.members.iter().map(parts::name).collect();
    let whole = Whole::of(charted);
    html::fill(PAGE, |place| match place {
        "policy" => csp::of(&[THEME]),
        "version" => env!("CARGO_PKG_VERSION").to_owned(),
        "made" => made.format("%Y-%m-%d").to_string(),
        "title" => format!("Backtest of a basket of {}", html::escape(&names.join(", "))),
        "heading" => parts::heading(result, &names),
        "period" => parts::period(&result.summary),
        "style" => STYLE.to_owned(),
        "theme" => THEME.to_owned(),
        "verdict" => parts::verdict(result),
        "cards" => parts::cards(result),
        "warnings" => parts::warnings(result, &names),
        "value" => chart(&value(&whole)),
        "shares" => chart(&shares(&whole, result, &names)),
        "prices" => prices(result, &charted.members, &names),
        "figures" => parts::figures(result, &names),
        "reasons" => parts::reasons(result, &names),
        "trades" => parts::trades(result, &names),
        "config" => parts::config(result, &names),
        "notes" => html::list("plain", &parts::notes(result, &names)),
        _ => String::new(),
    })
}

/// A colour for each member.
fn tint(member: usize) -> String {
    format!("h{}", (member % 7).saturating_add(1))
}

/// The basket at one instant, USD.
struct Moment {
    at: i64,
    value: Decimal,
    money: Decimal,
    /// Each member's tokens.
    tokens: Vec<Decimal>,
}

/// The basket over time.
struct Whole(Vec<Moment>);

impl Whole {
    fn of(charted: &Charted) -> Self {
        let points = charted.whole.iter();
        Self(points.map(|point| moment(point, &charted.members)).collect())
    }

    fn line(&self, name: &str, tint: &str, read: impl Fn(&Moment) -> Decimal) -> Line {
        Line {
            name: name.to_owned(),
            tint: tint.to_owned(),
            spots: self
                .0
                .iter()
                .map(|moment| (moment.at, drawing(read(moment))))
                .collect(),
            dashed: false,
        }
    }
}

/// Each member's tokens are those of its point before.
fn moment(whole: &Point, members: &[RunResult]) -> Moment {
    let tokens = members.iter().map(|run| {
        let seen = run.points.partition_point(|point| point.at <= whole.at);
        let point = seen.checked_sub(1).and_then(|last| run.points.get(last));
        point.and_then(tokens).unwrap_or_default()
    });
    Moment {
        at: whole.at.timestamp(),
        value: whole.value_usd.decimal(),
        money: whole.money_in_usd.decimal(),
        tokens: tokens.collect(),
    }
}

/// Value of a member's tokens.
fn tokens(point: &Point) -> Option<Decimal> {
    let pct = point.token_pct.unwrap_or_default();
    point
        .value_usd
        .decimal()
        .checked_mul(pct)?
        .checked_div(Decimal::ONE_HUNDRED)
}

/// A number for drawing, never for calculations.
fn drawing(value: Decimal) -> f64 {
    value.to_f64().unwrap_or_default()
}

fn value(whole: &Whole) -> Chart {
    let mut money = whole.line("Money in", "money", |moment| moment.money);
    money.dashed = true;
    Chart {
        about: "Value of all tokens and quote of the basket, and the money in, USD".to_owned(),
        layers: vec![],
        lines: vec![whole.line("Value", "value", |moment| moment.value), money],
        marks: vec![],
        unit: "",
        bounds: None,
    }
}

/// Layers of the members' tokens; what is left above is quote. The targets are those of the configuration.
fn shares(whole: &Whole, result: &BasketResult, names: &[String]) -> Chart {
    let part = |sum: Decimal, value: Decimal| {
        let pct = sum.checked_mul(Decimal::ONE_HUNDRED);
        let pct = pct.and_then(|pct| pct.checked_div(value)).unwrap_or_default();
        pct.min(Decimal::ONE_HUNDRED)
    };
    let layers = names.iter().enumerate().map(|(member, name)| {
        whole.line(name, &tint(member), |moment| {
            let below: Decimal = moment.tokens.iter().take(member.saturating_add(1)).sum();
            part(below, moment.value)
        })
    });
    let mut layers: Vec<Line> = layers.collect();
    layers.push(whole.line("Quote", "h0", |_| Decimal::ONE_HUNDRED));
    let weight = |member: usize| {
        let rules = result
            .members
            .get(member)
            .and_then(|member| member.setup.config.rules.basket());
        rules.map_or(Decimal::ZERO, |rules| rules.weight)
    };
    let all: Decimal = (0..names.len()).map(weight).sum();
    // Between two members, and not on the upper edge.
    let targets = (1..names.len()).map(|count| {
        let below: Decimal = (0..count).map(weight).sum();
        let mut line = whole.line("", "text", |_| part(below, all));
        line.dashed = true;
        line
    });
    Chart {
        about: "Share of each member's tokens and of the quote in the value, in per cent, with the targets"
            .to_owned(),
        lines: targets.collect(),
        layers,
        marks: vec![],
        unit: " %",
        bounds: Some((0.0, 100.0)),
    }
}

/// A panel for each member: its prices, and where it bought and sold.
fn prices(result: &BasketResult, runs: &[RunResult], names: &[String]) -> String {
    let members = result.members.iter().zip(runs).zip(names).enumerate();
    members
        .map(|(place, ((member, run), name))| {
            let spots = run.points.iter().map(|point| {
                let spot: Spot = (point.at.timestamp(), drawing(point.price.decimal()));
                spot
            });
            let decimals = member.setup.token_decimals;
            let drawn = chart(&Chart {
                about: format!("Price of {name} over time, USD, with its trades"),
                layers: vec![],
                lines: vec![Line {
                    name: "Price, USD".to_owned(),
                    tint: tint(place),
                    spots: spots.collect(),
                    dashed: false,
                }],
                marks: data::drawn(&member.trades)
                    .into_iter()
                    .map(|trade| mark(trade, decimals))
                    .collect(),
                unit: "",
                bounds: None,
            });
            format!(
                "<section class=\"panel\" aria-labelledby=\"h-price-{place}\">\
                 <div class=\"panel-head\"><h2 id=\"h-price-{place}\">{}: price and trades</h2></div>{drawn}</section>\n",
                html::escape(name)
            )
        })
        .collect()
}

fn mark(trade: &TradeLine, decimals: u8) -> Mark {
    let sells = trade.side == Side::Sell;
    Mark {
        spot: (trade.at.timestamp(), drawing(trade.price.decimal())),
        sells,
        says: format!(
            "{} UTC: {} {} for {} USD at {}",
            html::moment(trade.at),
            if sells { "sold" } else { "bought" },
            html::tokens(&trade.base_amount.to_whole(decimals)),
            html::dollars(trade.quote_usd),
            html::price(Some(trade.fill_price)),
        ),
    }
}
