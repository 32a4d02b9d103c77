//! First in, first out: what sold tokens had cost if the oldest are sold first.
//!
//! The ledger keeps the average cost. Tax offices often want this one, so an export has both. Exact: however a lot is
//! sold in parts, the costs of its parts add up to its cost, to the last digit.

use std::collections::VecDeque;

use super::units::{Amount, MoneyError, Rounding, Usd};

/// Tokens that came together, and how many of them are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lot {
    amount: Amount,
    cost: Usd,
    gone: Amount,
}

impl Lot {
    /// Cost of its first `amount` tokens, rounded down.
    fn cost_of(&self, amount: Amount) -> Result<Usd, MoneyError> {
        self.cost.share(amount, self.amount, Rounding::Down)
    }
}

/// The lots of one position, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lots {
    held: VecDeque<Lot>,
    /// More was taken than had come: what is missing came before these lots, at an unknown cost.
    short: bool,
}

impl Lots {
    /// Tokens came, for this cost.
    pub fn add(&mut self, amount: Amount, cost: Usd) {
        if !amount.is_zero() {
            self.held.push_back(Lot {
                amount,
                cost,
                gone: Amount::ZERO,
            });
        }
    }

    /// Takes the oldest tokens: what they had cost, or `None` if more are taken than ever came.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range.
    pub fn take(&mut self, amount: Amount) -> Result<Option<Usd>, MoneyError> {
        let (mut left, mut cost) = (amount, Usd::ZERO);
        while !left.is_zero() {
            let Some(oldest) = self.held.front_mut() else {
                self.short = true;
                break;
            };
            let part = left.min(oldest.amount.checked_sub(oldest.gone)?);
            let gone = oldest.gone.checked_add(part)?;
            let of_part = oldest.cost_of(gone)?.checked_sub(oldest.cost_of(oldest.gone)?)?;
            cost = cost.checked_add(of_part)?;
            left = left.checked_sub(part)?;
            oldest.gone = gone;
            if gone == oldest.amount {
                self.held.pop_front();
            }
        }
        Ok((!self.short).then_some(cost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        Usd::new(text.parse().expect("a number")).expect("USD")
    }

    fn units(text: &str) -> Amount {
        text.parse().expect("base units")
    }

    /// Lots, what is taken of them, and what it had cost. The costs were worked out with Python's fractions.
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)]);

    const CASES: [Case<'static>; 2] = [
        (
            &[("3", "10"), ("7", "5.000000000001")],
            &[
                ("1", "3.333333333333"),
                ("1", "3.333333333333"),
                ("3", "4.761904761905"),
                ("5", "3.57142857143"),
            ],
        ),
        (
            &[
                ("428571428571428571", "9.990000000017"),
                ("2000000000000000000000000001", "0.07"),
            ],
            &[
                ("123456789012345678", "2.877777751882"),
                ("305114639559082893", "7.112222248135"),
                ("1000000000000000000000000000", "0.034999999999"),
            ],
        ),
    ];

    #[test]
    fn the_oldest_tokens_are_sold_first_and_the_parts_of_a_lot_add_up_to_its_cost() {
        for (came, went) in CASES {
            let mut lots = Lots::default();
            for (amount, cost) in came {
                lots.add(units(amount), usd(cost));
            }
            for (amount, cost) in went {
                assert_eq!(
                    lots.take(units(amount)),
                    Ok(Some(usd(cost))),
                    "{amount} of {came:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_taken_beyond_the_lots_has_no_known_cost_and_nothing_after_it_has() {
        let mut lots = Lots::default();
        lots.add(units("5"), usd("1"));
        assert_eq!(lots.take(units("6")), Ok(None));
        lots.add(units("5"), usd("1"));
        assert_eq!(lots.take(units("1")), Ok(None));
        assert_eq!(lots.take(Amount::ZERO), Ok(None));
    }
}
