//! Text for people, and text that is safe in HTML.

use rust_decimal::Decimal;

use crate::domain::{
    Timestamp,
    span::Span,
    units::{Price, Usd},
};

/// Digits of a price or an amount that people get to see.
const DIGITS: u32 = 6;

/// Safe as text and inside a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// Fills `{{name}}` places in one pass, so that what is filled in is never looked at again.
pub(super) fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut pieces = template.split("{{");
    let mut page = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").unwrap_or((piece, ""));
        page.push_str(&value(name));
        page.push_str(rest);
    }
    page
}

/// A number with its thousands set apart: `-12,345.60`.
fn grouped(plain: &str) -> String {
    let (sign, digits) = plain
        .strip_prefix('-')
        .map_or(("", plain), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut shown = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && whole.len().saturating_sub(i).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    if !fraction.is_empty() {
        shown.push('.');
        shown.push_str(fraction);
    }
    shown
}

/// USD to the cent, half a cent to even; more digits where cents would show nothing.
pub(super) fn dollars(value: Usd) -> String {
    let exact = value.decimal();
    let cents = exact.round_dp(2);
    if cents.is_zero() && !exact.is_zero() {
        exact.round_sf(2).unwrap_or(exact).normalize().to_string()
    } else {
        grouped(&format!("{cents:.2}"))
    }
}

/// As [`dollars`], with its sign.
pub(super) fn signed(value: Usd) -> String {
    let sign = if value.is_positive() { "+" } else { "" };
    format!("{sign}{}", dollars(value))
}

/// Six significant digits.
pub(super) fn digits(value: Decimal) -> String {
    let short = value.round_sf(DIGITS).unwrap_or(value).normalize();
    grouped(&short.to_string())
}

pub(super) fn price(value: Option<Price>) -> String {
    value.map_or_else(|| "-".to_owned(), |price| digits(price.decimal()))
}

/// Whole tokens to six significant digits; what no decimal can hold stays as it is.
pub(super) fn tokens(whole: &str) -> String {
    whole.parse::<Decimal>().map_or_else(|_| grouped(whole), digits)
}

/// Per cent with sign, two digits after the point.
pub(super) fn percent(value: Decimal) -> String {
    let sign = if value > Decimal::ZERO { "+" } else { "" };
    format!("{sign}{} %", grouped(&format!("{:.2}", value.round_dp(2))))
}

/// The two largest units of a length of time: `12d 4h`.
pub(super) fn duration(from: Timestamp, to: Timestamp) -> String {
    let seconds = (to - from).num_seconds().max(0);
    let parts: Vec<String> = [
        ("d", 86_400, i64::MAX),
        ("h", 3_600, 24),
        ("m", 60, 60),
        ("s", 1, 60),
    ]
    .iter()
    .map(|(unit, size, whole)| ((seconds / size) % whole, unit))
    .filter(|(count, _)| *count > 0)
    .take(2)
    .map(|(count, unit)| format!("{count}{unit}"))
    .collect();
    if parts.is_empty() {
        Span::ZERO.to_string()
    } else {
        parts.join(" ")
    }
}

/// To the minute, UTC.
pub(super) fn moment(time: Timestamp) -> String {
    time.format("%Y-%m-%d %H:%M").to_string()
}

/// Whether a number is good or bad news, as a class.
pub(super) fn tone(value: Decimal) -> &'static str {
    if value > Decimal::ZERO {
        "gain"
    } else if value < Decimal::ZERO {
        "loss"
    } else {
        ""
    }
}

/// A scrollable table; cells are HTML already.
pub(super) fn table(class: &str, header: &[&str], rows: &[(String, Vec<String>)]) -> String {
    let head: String = header
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let class = if i > 0 && class == "numbers" {
                " class=\"num\""
            } else {
                ""
            };
            format!("<th{class}>{}</th>", escape(name))
        })
        .collect();
    let body: String = rows
        .iter()
        .map(|(class, cells)| format!("<tr class=\"{class}\">{}</tr>", cells.concat()))
        .collect();
    format!(
        "<div class=\"scroll {class}\"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
}

/// A cell with a number in it.
pub(super) fn number(text: &str) -> String {
    format!("<td class=\"num\">{}</td>", escape(text))
}

/// A cell with text in it.
pub(super) fn cell(text: &str) -> String {
    format!("<td>{}</td>", escape(text))
}

/// A list of sentences.
pub(super) fn list(class: &str, sentences: &[String]) -> String {
    let items: String = sentences
        .iter()
        .map(|sentence| format!("<li>{}</li>", escape(sentence)))
        .collect();
    format!("<ul class=\"{class}\">{items}</ul>")
}
