//! The report of a basket: value, weights over time, each member's prices with its trades and its weight with its band,
//! and the tables. No script but the theme's.

mod draw;
mod parts;

use rust_decimal::Decimal;

use self::draw::{Band, Chart, Line, Mark, Spot, chart};
use super::{
    data::{self, drawing},
    frame, html,
};
use crate::{
    backtest::{
        basket::{BasketResult, Charted, MemberResult},
        result::{Point, RunResult, TradeLine},
    },
    domain::{
        Timestamp,
        basket::{Target, target},
        decision::Side,
    },
};

const PAGE: &str = concat!(include_str!("head.html"), include_str!("basket.html"));

/// Maximum number of drawn points of each line: the charts have a line for each member.
pub const BASKET_POINTS_MAX: usize = 3_000;

/// Maximum number of drawn trades, of all members: each is an element of the page.
const MARKS_MAX: usize = 5_000;

/// The whole page; `made`: when, for the reader.
#[must_use]
pub fn basket_page(result: &BasketResult, charted: &Charted, made: Timestamp) -> String {
    let names = parts::names(result);
    let whole = Whole::of(charted);
    html::fill(PAGE, |place| match place {
        "policy" => frame::policy(&[frame::THEME]),
        "version" => env!("CARGO_PKG_VERSION").to_owned(),
        "made" => made.format("%Y-%m-%d").to_string(),
        "title" => frame::title(
            &format!("a basket of {}", parts::all(&names)),
            parts::invented(result),
        ),
        "heading" => frame::heading(
            &format!("A basket of {}", parts::all(&names)),
            parts::invented(result),
        ),
        "period" => parts::period(result),
        "style" => frame::STYLE.to_owned(),
        "theme" => frame::THEME.to_owned(),
        "verdict" => parts::verdict(result),
        "cards" => parts::cards(result),
        "warnings" => parts::warnings(result, &names),
        "value" => chart(&value(&whole)),
        "weights" => chart(&weights(&whole, result, &names)),
        "members" => members(&whole, result, &charted.members, &names),
        "figures" => parts::figures(result, &names),
        "reasons" => parts::reasons(result, &names),
        "trades" => parts::trades(result, &names),
        "config" => parts::config(result, &names),
        "notes" => html::list("plain", &parts::notes(result, &names, marks_of_each(result))),
        _ => String::new(),
    })
}

/// Maximum number of drawn trades of one member.
fn marks_of_each(result: &BasketResult) -> usize {
    MARKS_MAX.checked_div(result.members.len()).unwrap_or(MARKS_MAX)
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

fn value(whole: &Whole) -> Chart {
    let money = Line {
        dashed: true,
        ..whole.line("Money in", "money", |moment| moment.money)
    };
    Chart {
        about: "Value of all tokens and quote of the basket, and the money in, USD".to_owned(),
        lines: vec![whole.line("Value", "value", |moment| moment.value), money],
        ..Chart::default()
    }
}

/// Layers of the members' tokens; what is left above is quote. The targets are those of the configuration.
fn weights(whole: &Whole, result: &BasketResult, names: &[String]) -> Chart {
    let layers = names.iter().enumerate().map(|(member, name)| {
        whole.line(name, &tint(member), |moment| {
            let below: Decimal = moment.tokens.iter().take(member.saturating_add(1)).sum();
            part(below, moment.value)
        })
    });
    let mut layers: Vec<Line> = layers.collect();
    layers.push(whole.line("Quote", "h0", |_| Decimal::ONE_HUNDRED));
    let targets = targets(result);
    // Between two members, and not on the upper edge.
    let lines = (1..targets.len()).map(|count| {
        let below = targets.iter().take(count).flatten();
        let below: Decimal = below.map(|target| target.target_pct).sum();
        Line {
            dashed: true,
            ..whole.line("", "text", |_| below)
        }
    });
    Chart {
        about: "Share of each member's tokens and of the quote in the value, in per cent, with the targets"
            .to_owned(),
        lines: lines.collect(),
        layers,
        unit: " %",
        bounds: Some((0.0, 100.0)),
        ..Chart::default()
    }
}

/// Per cent of the value, at most 100; 0 of none.
fn part(of: Decimal, value: Decimal) -> Decimal {
    let pct = of.checked_mul(Decimal::ONE_HUNDRED);
    let pct = pct.and_then(|pct| pct.checked_div(value)).unwrap_or_default();
    pct.min(Decimal::ONE_HUNDRED)
}

/// Each member's target, by the weights of all.
fn targets(result: &BasketResult) -> Vec<Option<Target>> {
    let rules = |member: &MemberResult| member.setup.config.rules.basket().cloned();
    let all: Decimal = result
        .members
        .iter()
        .filter_map(rules)
        .map(|rules| rules.weight)
        .sum();
    let members = result.members.iter().map(rules);
    members
        .map(|rules| rules.and_then(|rules| target(rules.weight, all, rules.band_pct)))
        .collect()
}

/// A panel for each member: its prices, where it bought and sold, and its weight with its band.
fn members(whole: &Whole, result: &BasketResult, runs: &[RunResult], names: &[String]) -> String {
    let most = marks_of_each(result);
    let members = result.members.iter().zip(runs).zip(names).zip(targets(result));
    members
        .enumerate()
        .map(|(place, (((member, run), name), target))| {
            format!(
                "<section class=\"panel\" aria-labelledby=\"h-member-{place}\">\
                 <div class=\"panel-head\"><h2 id=\"h-member-{place}\">{}: price and trades</h2></div>{}\
                 <h3>Weight</h3>{}</section>\n",
                html::escape(name),
                chart(&prices(place, name, (member, run), most)),
                chart(&weight(place, name, whole, target)),
            )
        })
        .collect()
}

fn prices(place: usize, name: &str, (member, run): (&MemberResult, &RunResult), most: usize) -> Chart {
    let decimals = member.setup.token_decimals;
    let spots = run.points.iter();
    let spots = spots.map(|point| -> Spot { (point.at.timestamp(), drawing(point.price.decimal())) });
    Chart {
        about: format!("Price of {name} over time, USD, with its trades"),
        lines: vec![Line {
            name: "Price, USD".to_owned(),
            tint: tint(place),
            spots: spots.collect(),
            dashed: false,
        }],
        marks: data::drawn(&member.trades, most)
            .into_iter()
            .map(|trade| mark(trade, decimals))
            .collect(),
        ..Chart::default()
    }
}

/// Its tokens' part of the basket; the band around its target is shaded.
fn weight(place: usize, name: &str, whole: &Whole, target: Option<Target>) -> Chart {
    let of = |moment: &Moment| moment.tokens.get(place).copied().unwrap_or_default();
    // Before its first buy there is nothing to see, and the rest would be drawn small.
    let moments = whole.0.iter().skip_while(|moment| of(moment).is_zero());
    let share = Line {
        name: "Its tokens, % of the basket".to_owned(),
        tint: tint(place),
        spots: moments
            .map(|moment| (moment.at, drawing(part(of(moment), moment.value))))
            .collect(),
        dashed: false,
    };
    let line = |target: Target| Line {
        dashed: true,
        ..whole.line(&format!("Target {:.2} %", target.target_pct), "text", |_| {
            target.target_pct
        })
    };
    Chart {
        about: format!(
            "Share of the tokens of {name} in the value of the basket, per cent, with its target and its band"
        ),
        lines: [share].into_iter().chain(target.map(line)).collect(),
        band: target.map(|target| Band {
            name: format!(
                "Band: buys below {:.2} %, sells above {:.2} %",
                target.buys_below_pct, target.sells_above_pct
            ),
            low: drawing(target.buys_below_pct),
            high: drawing(target.sells_above_pct),
        }),
        unit: " %",
        ..Chart::default()
    }
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
