//! The money-weighted return. A statistic, not money: the one place with floats.

use rust_decimal::prelude::ToPrimitive;

use crate::domain::{Timestamp, units::Usd};

/// Payments are kept one by one up to this many; then neighbours are added up at their common centre of time.
const PAYMENTS_MAX: usize = 4_096;

const YEAR_SECS: f64 = 365.25 * 86_400.0;

/// Growth rates are looked for in steps of this size, continuously compounded, up to this many steps: from a loss
/// of all but a millionth to a growth of a millionfold.
const STEP: f64 = 0.25;
const STEPS_MAX: u32 = 56;

/// Less than four weeks say nothing about a year.
const SHORTEST_YEARS: f64 = 28.0 * 86_400.0 / YEAR_SECS;

/// Which way money goes, seen from the job.
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

    /// The yearly rate, per cent, at which all that went in has become what came out and `value`. None if it is not
    /// one: less than four weeks, nothing in, or no rate between a loss of all and a millionfold a year.
    pub(super) fn yearly_pct(&self, end: Timestamp, value: Usd) -> Option<f64> {
        let end = years(self.start?, end);
        if end < SHORTEST_YEARS {
            return None;
        }
        let value = value.decimal().to_f64()?;
        let surplus = |growth: f64| -> f64 {
            let grown = self
                .payments
                .iter()
                .map(|payment| payment.usd * (growth * (end - payment.years)).exp());
            grown.sum::<f64>() - value
        };
        if self.payments.is_empty() {
            return None;
        }
        // Payments in both directions may have several such rates: the one nearest to nothing is meant.
        let nothing = surplus(0.0);
        let turns = |growth: f64| (surplus(growth) < 0.0) != (nothing < 0.0);
        let steps = (1..=STEPS_MAX).map(|step| f64::from(step) * STEP);
        let far = steps
            .flat_map(|growth| [growth, -growth])
            .find(|growth| turns(*growth))?;
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
        Some((percent * 10_000.0).round() / 10_000.0)
    }
}

fn years(from: Timestamp, to: Timestamp) -> f64 {
    (to - from).as_seconds_f64() / YEAR_SECS
}

/// Two payments as one, at the centre of the time between them.
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
