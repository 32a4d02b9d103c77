//! What a job should have, kept in plain decimals.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::{Decimal, RoundingStrategy};

/// Digits of the tokens of these ledgers.
pub const DIGITS: u8 = 6;

/// What a job should have: its cycle by average cost, what each row earned and paid, and its owner's pocket.
#[derive(Debug, Default, Clone)]
pub struct Expected {
    pub held: Decimal,
    pub cost: Decimal,
    pub realized: Decimal,
    pub gas: Decimal,
    pub money_in: Decimal,
    /// What left the pocket less what came back, of each booking that stands, in their order.
    pub bookings: Vec<(u64, Decimal)>,
    /// Instant, realised, gas.
    pub rows: Vec<(DateTime<Utc>, Decimal, Decimal)>,
}

impl Expected {
    /// The deepest that the pocket ever was.
    pub fn fold(&mut self) {
        let mut out = Decimal::ZERO;
        self.money_in = Decimal::ZERO;
        for (_, moved) in &self.bookings {
            out += moved;
            self.money_in = self.money_in.max(out);
        }
    }

    pub fn booked(&mut self, booking: u64, moved: Decimal) {
        self.bookings.push((booking, moved));
        self.fold();
    }

    pub fn by_period(&self, name: impl Fn(DateTime<Utc>) -> String) -> BTreeMap<String, (Decimal, Decimal)> {
        let mut sums: BTreeMap<String, (Decimal, Decimal)> = BTreeMap::new();
        for (at, realized, gas) in &self.rows {
            if !realized.is_zero() || !gas.is_zero() {
                let sum = sums.entry(name(*at)).or_default();
                *sum = (sum.0 + realized, sum.1 + gas);
            }
        }
        sums
    }

    pub fn net(&self, price: Decimal) -> Decimal {
        let value = self.held * price / Decimal::from(10_u64.pow(DIGITS.into()));
        // Values are rounded down to the ledger's twelve digits.
        let value = value.round_dp_with_strategy(12, RoundingStrategy::ToZero);
        self.realized + value - self.cost - self.gas
    }
}
