//! How texts and numbers are written in a table.

use crate::app::{
    jobs::export::{ExportLine, table::inert},
    whole::Whole,
};
use crate::domain::job::Realm;

/// A text, or nothing.
pub(super) fn text(text: Option<&String>) -> String {
    text.map(|text| inert(text)).unwrap_or_default()
}

/// A number with at least one digit after the point.
pub(super) fn with_point(number: &str) -> String {
    if number.contains('.') {
        number.to_owned()
    } else {
        format!("{number}.0")
    }
}

/// At most eight digits after the point, the others cut; what would be cut to nothing is the least number there is.
pub(super) fn eight_digits(amount: Whole) -> String {
    let exact = amount.to_string();
    let Some((whole, fraction)) = exact.split_once('.') else {
        return exact;
    };
    let kept = fraction.get(..8).unwrap_or(fraction).trim_end_matches('0');
    match (whole, kept) {
        ("0", "") => "0.00000001".to_owned(),
        (whole, "") => whole.to_owned(),
        (whole, kept) => format!("{whole}.{kept}"),
    }
}

/// What a row is, in one line: the only place where a tool shows the token's address.
pub(super) fn description(line: &ExportLine) -> String {
    let paper = match line.realm {
        Realm::Paper => "PAPER, simulated: ",
        Realm::Live => "",
    };
    let what = match (&line.side, &line.reason) {
        (Some(side), Some(reason)) => format!("{side} {reason}"),
        _ => line.kind.to_string(),
    };
    let trade = line
        .trade
        .map(|trade| format!("trade {trade} of "))
        .unwrap_or_default();
    let job = match (line.job, line.withdrawal) {
        (Some(job), _) => format!("{trade}job {job}"),
        (None, Some(withdrawal)) => format!("withdrawal {withdrawal}"),
        (None, None) => "no job".to_owned(),
    };
    let note = line
        .note
        .as_ref()
        .map(|note| format!("{note}; "))
        .unwrap_or_default();
    let text = format!(
        "{paper}{note}{what}, {job}, token {symbol} {token} on {chain}, wallet {wallet}",
        symbol = line.symbol,
        token = line.token_address.to_checksum(None),
        chain = line.chain,
        wallet = line.wallet.to_checksum(None),
    );
    inert(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::units::Amount;

    #[test]
    fn digits_past_the_eighth_are_cut_and_no_amount_becomes_nothing() {
        for (units, decimals, shown) in [
            ("123456789", 8, "1.23456789"),
            ("1234567899", 9, "1.23456789"),
            ("1999999999999999999", 18, "1.99999999"),
            ("1000000001", 9, "1"),
            ("10000000000", 18, "0.00000001"),
            ("9999999999", 18, "0.00000001"),
            ("1", 36, "0.00000001"),
            ("120", 2, "1.2"),
            ("7", 0, "7"),
        ] {
            let units: Amount = units.parse().expect("base units");
            assert_eq!(
                eight_digits(Whole::new(units, decimals)),
                shown,
                "{units} {decimals}"
            );
        }
    }
}
