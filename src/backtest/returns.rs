//! The money-weighted return. A statistic, not money: the only place with floats.

use chrono::TimeDelta;
use rust_decimal::prelude::ToPrimitive;

use super::result::{NoRate, SHORTEST_DAYS};
use crate::domain::{Timestamp, units::Usd};

/// Maximum number of separate payments; beyond it, neighbours are merged at their weighted mean time.
const PAYMENTS_MAX: usize = 4_096;

/// A year has 365 days, as for the XIRR of spreadsheets.
const YEAR_SECS: f64 = 365.0 * 86_400.0;

/// Growth rates are searched in steps of this size, continuously compounded, up to this number of steps: from a loss
/// of all but a millionth to a millionfold gain.
const STEP: f64 = 0.25;
const STEPS_MAX: u32 = 56;

/// Minimum length for a yearly rate: half a year. A gain of a few weeks, compounded to a year, is a large number that
/// says nothing about a year.
const SHORTEST: TimeDelta = TimeDelta::days(SHORTEST_DAYS);

/// Direction of a payment, seen from the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    In,
    Out,
}

/// Payments in and out, in the order of time.
#[derive(Debug, Default)]
pub(super) struct Flows {
    start: Option<Timestamp>,
    payments: Vec<Payment>,
}

/// Money that went in (positive) or out, years after the start.
#[derive(Debug, Clone, Copy)]
struct Payment {
    years: f64,
    usd: f64,
}

impl Flows {
    pub(super) fn add(&mut self, at: Timestamp, usd: Usd, flow: Flow) {
        let start = *self.start.get_or_insert(at);
        if usd == Usd::ZERO {
            return;
        }
        let usd = usd.decimal().to_f64().unwrap_or(0.0);
        let payment = Payment {
            years: years(start, at),
            usd: match flow {
                Flow::In => usd,
                Flow::Out => -usd,
            },
        };
        match self.payments.last_mut() {
            Some(last) if last.years >= payment.years => last.usd += payment.usd,
            _ => self.payments.push(payment),
        }
        if self.payments.len() > PAYMENTS_MAX {
            self.payments = self.payments.chunks(2).map(together).collect();
        }
    }

    /// The yearly rate, per cent, at which all payments in equal all payments out plus `value`.
    ///
    /// # Errors
    /// There is none: less than half a year, no money in, or no rate between a total loss and a millionfold gain per
    /// year.
    pub(super) fn yearly_pct(&self, end: Timestamp, value: Usd) -> Result<f64, NoRate> {
        let start = self.start.ok_or(NoRate::NoMoneyIn)?;
        if self.payments.is_empty() {
            return Err(NoRate::NoMoneyIn);
        }
        if end - start < SHORTEST {
            return Err(NoRate::TooShort);
        }
        let end = years(start, end);
        let value = value.decimal().to_f64().ok_or(NoRate::NoRate)?;
        if value <= 0.0 && self.payments.iter().all(|payment| payment.usd >= 0.0) {
            return Ok(-100.0);
        }
        let surplus = |growth: f64| -> f64 {
            let grown = self
                .payments
                .iter()
                .map(|payment| payment.usd * (growth * (end - payment.years)).exp());
            grown.sum::<f64>() - value
        };
        // Payments in both directions may have several such rates: take the one nearest to zero.
        let nothing = surplus(0.0);
        let turns = |growth: f64| (surplus(growth) < 0.0) != (nothing < 0.0);
        let steps = (1..=STEPS_MAX).map(|step| f64::from(step) * STEP);
        let far = steps
            .flat_map(|growth| [growth, -growth])
            .find(|growth| turns(*growth))
            .ok_or(NoRate::NoRate)?;
        let (mut near, mut far) = (far - STEP.copysign(far), far);
        for _ in 0..80 {
            let middle = near.midpoint(far);
            if turns(middle) {
                far = middle;
            } else {
                near = middle;
            }
        }
        let (low, high) = (near, far);
        let percent = low.midpoint(high).exp_m1() * 100.0;
        Ok((percent * 10_000.0).round() / 10_000.0)
    }
}

fn years(from: Timestamp, to: Timestamp) -> f64 {
    (to - from).as_seconds_f64() / YEAR_SECS
}

/// Merges two payments at their weighted mean time.
fn together(pair: &[Payment]) -> Payment {
    let usd: f64 = pair.iter().map(|payment| payment.usd).sum();
    let weight: f64 = pair.iter().map(|payment| payment.usd.abs()).sum();
    let years: f64 = pair.iter().map(|payment| payment.years * payment.usd.abs()).sum();
    let first = pair.first().map_or(0.0, |payment| payment.years);
    Payment {
        years: if weight > 0.0 { years / weight } else { first },
        usd,
    }
}
