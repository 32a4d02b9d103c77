//! How many requests are answered: each token has its own budget, each signal one for what it has signed, and each
//! address one for requests without a valid token or signature. So a guesser takes nothing from those who have a token,
//! though they share an address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::domain::ids::TokenId;

/// Requests a second without a valid token, from one address.
const STRANGERS: u32 = 20;
/// Messages a second of one signal, wherever they come from: who shares an address with its sender takes nothing of it.
const SIGNALS: u32 = 20;
/// A budget that was not used is kept for this long.
const SAVED: Duration = Duration::from_secs(2);
/// Budgets that are remembered at most; those beyond share one.
const REMEMBERED_MAX: usize = 4_096;

/// Whose budget it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    Token(TokenId),
    Address(IpAddr),
    /// What a signal of the settings has signed, by its place among them.
    Signal(usize),
    /// Of all for whom there is no place.
    Others,
}

/// Budgets.
#[derive(Debug)]
pub(super) struct Rates {
    /// Requests a second of a token.
    per_token: u32,
    /// When all that was asked so far is paid for.
    paid: Mutex<HashMap<Whose, Instant>>,
}

/// The address as it is counted: who has an IPv6 address has all of its network of 64 bits.
pub(super) fn counted(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address.to_canonical() else {
        return address.to_canonical();
    };
    let [a, b, c, d, ..] = six.segments();
    IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
}

impl Rates {
    /// `per_token`: requests a second.
    pub(super) fn new(per_token: u32) -> Self {
        Self {
            per_token,
            paid: Mutex::default(),
        }
    }

    /// Takes one request; how long to wait if there is none left.
    pub(super) fn take(&self, whose: Whose, now: Instant) -> Result<(), Duration> {
        let per_second = match whose {
            Whose::Token(_) => self.per_token,
            Whose::Address(_) | Whose::Others => STRANGERS,
            Whose::Signal(_) => SIGNALS,
        };
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        if paid.len() >= REMEMBERED_MAX && !paid.contains_key(&whose) {
            paid.retain(|_, until| *until > now);
        }
        let full = paid.len() >= REMEMBERED_MAX && !paid.contains_key(&whose);
        let entry = paid
            .entry(if full { Whose::Others } else { whose })
            .or_insert(now);
        let after = (*entry).max(now) + Duration::from_secs(1) / per_second.max(1);
        match after.checked_duration_since(now + SAVED) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                *entry = after;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rates: &Rates, whose: Whose, now: Instant) -> usize {
        (0..10_000).take_while(|_| rates.take(whose, now).is_ok()).count()
    }

    #[test]
    fn a_token_has_two_seconds_of_its_rate_saved_and_its_rate_from_then_on() {
        let (rates, now) = (Rates::new(100), Instant::now());
        let (one, two) = (Whose::Token(TokenId(1)), Whose::Token(TokenId(2)));
        assert_eq!(taken(&rates, one, now), 200);
        assert_eq!(taken(&rates, two, now), 200, "budgets are apart");
        for signal in [Whose::Signal(0), Whose::Signal(1)] {
            assert_eq!(taken(&rates, signal, now), 40, "each signal has its own");
        }
        let wait = rates.take(one, now).expect_err("nothing is left");
        assert!(wait <= Duration::from_millis(10), "{wait:?}");
        assert_eq!(taken(&rates, one, now + Duration::from_secs(1)), 100);
        assert_eq!(taken(&rates, one, now + Duration::from_secs(60)), 200);
    }

    #[test]
    fn any_number_of_addresses_takes_bounded_memory_and_no_token_s_budget() {
        let (rates, now) = (Rates::new(100), Instant::now());
        let (token, mut refused) = (Whose::Token(TokenId(1)), 0);
        assert_eq!(rates.take(token, now), Ok(()));
        for n in 0..20_000_u32 {
            let address = Whose::Address(IpAddr::from(n.to_be_bytes()));
            refused += usize::from(rates.take(address, now).is_err());
        }
        assert!(refused > 15_000, "{refused}");
        assert!(rates.paid.lock().expect("a lock").len() <= REMEMBERED_MAX + 1);
        assert_eq!(rates.take(token, now), Ok(()));
    }

    #[test]
    fn an_address_counts_with_its_network_and_in_one_form() {
        let read = |text: &str| counted(text.parse().expect("an address"));
        assert_eq!(read("2001:db8:1:2:3:4:5:6"), read("2001:db8:1:2::1"));
        assert_ne!(read("2001:db8:1:2::1"), read("2001:db8:1:3::1"));
        assert_eq!(read("::ffff:192.0.2.1"), read("192.0.2.1"));
        assert_ne!(read("192.0.2.1"), read("192.0.2.2"));
    }
}
