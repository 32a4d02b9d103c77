//! Formats numbers and text for display, escaped for HTML.

use rust_decimal::Decimal;

use crate::domain::{
    Timestamp, brief,
    span::Span,
    units::{Price, Usd},
};

/// Escapes text for HTML content and quoted attributes.
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

/// Fills `{{name}}` placeholders in one pass, so that inserted text is never expanded again.
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

/// USD to the cent, cut as the command line cuts it: both show the same figure.
pub(super) fn dollars(value: Usd) -> String {
    brief::grouped(&brief::usd(value))
}

/// As [`dollars`], with its sign.
pub(super) fn signed(value: Usd) -> String {
    let sign = if value.is_positive() { "+" } else { "" };
    format!("{sign}{}", dollars(value))
}

/// A number of things.
pub(super) fn count(number: u64) -> String {
    brief::grouped(&number.to_string())
}

pub(super) fn price(value: Option<Price>) -> String {
    value.map_or_else(|| "-".to_owned(), |price| brief::grouped(&brief::price(price)))
}

/// Whole tokens, cut to six significant digits or to all before the point.
pub(super) fn tokens(whole: &str) -> String {
    brief::grouped(&brief::amount(whole))
}

/// Per cent with sign, two digits after the point.
pub(super) fn percent(value: Decimal) -> String {
    let sign = if value > Decimal::ZERO { "+" } else { "" };
    format!("{sign}{} %", brief::grouped(&format!("{:.2}", value.round_dp(2))))
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

/// `2nd`, `3rd`, `11th`.
pub(super) fn ordinal(number: usize) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// CSS class of a gain or a loss.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_typed_stays_text() {
        assert_eq!(
            escape("<a b='c' d=\"e\">&lt;"),
            "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;lt;"
        );
    }

    #[test]
    fn what_was_filled_in_is_not_filled_again() {
        let page = fill("a {{x}} b {{y}} c", |name| match name {
            "x" => "{{y}}".to_owned(),
            _ => name.to_uppercase(),
        });
        assert_eq!(page, "a {{y}} b Y c");
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        let usd = |text: &str| Usd::new(text.parse().expect("a number")).expect("USD");
        for (exact, shown) in [
            ("1234567.891", "1,234,567.89"),
            ("7.999", "7.99"),
            ("-7.999", "-7.99"),
            ("-1234.5", "-1,234.50"),
            ("999", "999.00"),
            ("0", "0.00"),
            ("0.000123456", "0.0001234"),
            ("-0.004", "-0.004"),
        ] {
            assert_eq!(dollars(usd(exact)), shown);
        }
        assert_eq!(
            (signed(usd("3")), signed(usd("-3"))),
            ("+3.00".to_owned(), "-3.00".to_owned())
        );
        assert_eq!(tokens("0.0000123456789"), "1.23456e-5");
        assert_eq!(tokens("1234567.8"), "1,234,567");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(
            tokens("123456789012345678901234567890123"),
            "123,456,789,012,345,678,901,234,567,890,123"
        );
        assert_eq!(
            (percent(Decimal::new(1_234_567, 2)), percent(Decimal::new(-5, 3))),
            ("+12,345.67 %".to_owned(), "0.00 %".to_owned())
        );
        assert_eq!(
            ["2nd", "11th", "23rd", "101st"],
            [2, 11, 23, 101].map(ordinal).each_ref().map(String::as_str)
        );
    }

    #[test]
    fn lengths_of_time_have_two_units() {
        let from: Timestamp = "2026-01-01T00:00:00Z".parse().expect("an instant");
        for (seconds, shown) in [
            (0, "0s"),
            (59, "59s"),
            (3_600, "1h"),
            (90_061, "1d 1h"),
            (31_536_060, "365d 1m"),
        ] {
            assert_eq!(duration(from, from + chrono::TimeDelta::seconds(seconds)), shown);
        }
    }
}
