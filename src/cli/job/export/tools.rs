//! The files that tax tools import. Each tool's page says what its columns are; `docs/export.md` names the pages.
//!
//! All of them read UTC, a point before the fraction, and no sign: what went out is in a column of its own.

use super::text::{description, eight_digits, text, with_point};
use crate::app::jobs::export::table::inert;
use crate::{
    app::{
        AppError,
        jobs::export::{ExportLine, RowKind},
        whole::Whole,
    },
    domain::{job::Realm, units::Usd},
};

pub(super) const KOINLY: [&str; 12] = [
    "Date",
    "Sent Amount",
    "Sent Currency",
    "Received Amount",
    "Received Currency",
    "Fee Amount",
    "Fee Currency",
    "Net Worth Amount",
    "Net Worth Currency",
    "Label",
    "Description",
    "TxHash",
];

pub(super) const COINTRACKER: [&str; 8] = [
    "Date",
    "Received Quantity",
    "Received Currency",
    "Sent Quantity",
    "Sent Currency",
    "Fee Amount",
    "Fee Currency",
    "Tag",
];

pub(super) const COINTRACKING: [&str; 12] = [
    "Type",
    "Buy Amount",
    "Buy Currency",
    "Sell Amount",
    "Sell Currency",
    "Fee",
    "Fee Currency",
    "Exchange",
    "Trade-Group",
    "Comment",
    "Date",
    "Tx-ID",
];

/// An amount and its currency, or two empty fields.
fn pair(amount: Option<Whole>, currency: Option<&String>, write: impl Fn(Whole) -> String) -> [String; 2] {
    [amount.map(write).unwrap_or_default(), text(currency)]
}

/// What a tool sees as sent, received and fee. Gas that was all there was is what was sent: the tools ignore a row that
/// sends and receives nothing.
struct Legs<'a> {
    sent: (Option<Whole>, Option<&'a String>),
    received: (Option<Whole>, Option<&'a String>),
    fee: (Option<Whole>, Option<&'a String>),
}

impl<'a> Legs<'a> {
    fn of(line: &'a ExportLine) -> Self {
        let fee = (line.fee_amount, line.fee_currency.as_ref());
        if line.kind == RowKind::Gas {
            return Self {
                sent: fee,
                received: (None, None),
                fee: (None, None),
            };
        }
        Self {
            sent: (line.sent_amount, line.sent_ticker.as_ref()),
            received: (line.received_amount, line.received_ticker.as_ref()),
            fee,
        }
    }
}

/// Koinly wants a point in every amount.
pub(super) fn koinly(line: &ExportLine) -> [String; 12] {
    let legs = Legs::of(line);
    let whole = |amount: Whole| with_point(&amount.to_string());
    let [sent, sent_currency] = pair(legs.sent.0, legs.sent.1, whole);
    let [received, received_currency] = pair(legs.received.0, legs.received.1, whole);
    let [fee, fee_currency] = pair(legs.fee.0, legs.fee.1, whole);
    let worth = match line.kind {
        RowKind::Gas => line.gas_usd,
        RowKind::Trade => line.quote_usd,
        RowKind::Adopt => line.cost_basis_average_usd,
        RowKind::Withdraw | RowKind::Release | RowKind::Dust | RowKind::Budget | RowKind::Payout => None,
    };
    let label = if line.kind == RowKind::Gas { "cost" } else { "" };
    [
        line.at.format("%Y-%m-%d %H:%M:%S").to_string(),
        sent,
        sent_currency,
        received,
        received_currency,
        fee,
        fee_currency,
        worth.map(dollars).unwrap_or_default(),
        worth.map(|_| "USD".to_owned()).unwrap_or_default(),
        label.to_owned(),
        description(line),
        line.tx_hash.clone().unwrap_or_default(),
    ]
}

fn dollars(value: Usd) -> String {
    with_point(&value.decimal().normalize().to_string())
}

/// CoinTracker reads at most eight digits after the point.
pub(super) fn cointracker(line: &ExportLine) -> [String; 8] {
    let legs = Legs::of(line);
    let [sent, sent_currency] = pair(legs.sent.0, legs.sent.1, eight_digits);
    let [received, received_currency] = pair(legs.received.0, legs.received.1, eight_digits);
    let [fee, fee_currency] = pair(legs.fee.0, legs.fee.1, eight_digits);
    [
        line.at.format("%m/%d/%Y %H:%M:%S").to_string(),
        received,
        received_currency,
        sent,
        sent_currency,
        fee,
        fee_currency,
        String::new(),
    ]
}

/// A row of CoinTracking before it is written.
struct Entry<'a> {
    kind: &'a str,
    buy: (Option<Whole>, Option<&'a String>),
    sell: (Option<Whole>, Option<&'a String>),
    fee: (Option<Whole>, Option<&'a String>),
    /// Tells the rows of one transaction apart.
    suffix: &'a str,
}

impl Entry<'_> {
    fn write(self, line: &ExportLine) -> [String; 12] {
        let whole = |amount: Whole| amount.to_string();
        let [buy, buy_currency] = pair(self.buy.0, self.buy.1, whole);
        let [sell, sell_currency] = pair(self.sell.0, self.sell.1, whole);
        let [fee, fee_currency] = pair(self.fee.0, self.fee.1, whole);
        let paper = if line.realm == Realm::Paper { "paper " } else { "" };
        let wallet = line.wallet.to_checksum(None);
        [
            self.kind.to_owned(),
            buy,
            buy_currency,
            sell,
            sell_currency,
            fee,
            fee_currency,
            inert(&format!("lgi-mm {paper}{} {wallet}", line.chain)),
            line.job
                .map_or_else(|| "withdrawals".to_owned(), |job| format!("job {job}")),
            description(line),
            line.at.format("%Y-%m-%d %H:%M:%S").to_string(),
            line.tx_hash
                .as_ref()
                .map(|hash| format!("{hash}{}", self.suffix))
                .unwrap_or_default(),
        ]
    }
}

/// `CoinTracking`'s amounts contain the fee: it shows the fee column, and takes from a balance what is sold. A fee in
/// the coin that is sold is added there, one in the coin that is bought is taken off, and one in a third coin is a row
/// of its own.
pub(super) fn cointracking(line: &ExportLine) -> Result<Vec<[String; 12]>, AppError> {
    let legs = Legs::of(line);
    let kind = match line.kind {
        RowKind::Trade => "Trade",
        RowKind::Gas => "Other Fee",
        RowKind::Adopt => "Deposit",
        RowKind::Withdraw | RowKind::Release | RowKind::Dust | RowKind::Budget | RowKind::Payout => {
            "Withdrawal"
        }
    };
    let mut entry = Entry {
        kind,
        buy: legs.received,
        sell: legs.sent,
        fee: legs.fee,
        suffix: "",
    };
    let Some(fee) = legs.fee.0 else {
        return Ok(vec![entry.write(line)]);
    };
    let broken = |error: crate::domain::units::MoneyError| AppError::Internal(error.to_string());
    let same = |leg: (Option<Whole>, Option<&String>)| {
        leg.0
            .filter(|amount| leg.1 == legs.fee.1 && amount.decimals == fee.decimals)
    };
    if let Some(sold) = same(legs.sent) {
        let units = sold.units.checked_add(fee.units).map_err(broken)?;
        entry.sell.0 = Some(Whole::new(units, fee.decimals));
    } else if let Some(bought) = same(legs.received).filter(|bought| bought.units > fee.units) {
        let units = bought.units.checked_sub(fee.units).map_err(broken)?;
        entry.buy.0 = Some(Whole::new(units, fee.decimals));
    } else {
        entry.fee = (None, None);
        let gas = Entry {
            kind: "Other Fee",
            buy: (None, None),
            sell: legs.fee,
            fee: (None, None),
            suffix: "-fee",
        };
        return Ok(vec![entry.write(line), gas.write(line)]);
    }
    Ok(vec![entry.write(line)])
}
