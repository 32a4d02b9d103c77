//! Dice for ledgers that are the same at every run.

use chrono::TimeDelta;
use rust_decimal::Decimal;

/// Numbers that are the same at every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    /// A sum with `digits` digits after the point.
    pub fn sum(&mut self, most: u64, digits: u32) -> Decimal {
        let units = self.below(most * 10_u64.pow(digits));
        Decimal::new(i64::try_from(units).expect("in range"), digits)
    }

    pub fn hours(&mut self, most: u64) -> TimeDelta {
        TimeDelta::seconds(i64::try_from(self.below(most * 3_600)).expect("in range"))
    }
}
