//! Slows down those who try tokens. An address that has presented too many wrong ones is not listened to for a while;
//! a token that was valid recently still is, so that nobody on the same address is locked out with the guesser.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Wrong tokens of one address before it is locked out.
const TRIES_MAX: u32 = 10;
/// They are counted for this long, and an address is locked out for as long.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses, and valid tokens, that are remembered at most.
const REMEMBERED_MAX: usize = 4_096;

type Digest = [u8; 32];

/// Failures by address.
#[derive(Debug, Default)]
pub(super) struct Lockout(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    failures: HashMap<IpAddr, (u32, Instant)>,
    valid: HashSet<Digest>,
}

impl Lockout {
    /// How long a token from this address is not even looked up; `None`: it is.
    pub(super) fn remaining(&self, address: IpAddr, token: &Digest, now: Instant) -> Option<Duration> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (tries, since) = seen.failures.get(&address)?;
        let left = WINDOW.checked_sub(now.duration_since(*since))?;
        (*tries >= TRIES_MAX && !left.is_zero() && !seen.valid.contains(token)).then_some(left)
    }

    /// A token was wrong. Answers whether this locks its address out.
    pub(super) fn failed(&self, address: IpAddr, token: &Digest, now: Instant) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Revoked or expired since.
        seen.valid.remove(token);
        if seen.failures.len() >= REMEMBERED_MAX {
            seen.failures
                .retain(|_, (_, since)| now.duration_since(*since) < WINDOW);
        }
        if seen.failures.len() >= REMEMBERED_MAX && !seen.failures.contains_key(&address) {
            return false;
        }
        let entry = seen.failures.entry(address).or_insert((0, now));
        if now.duration_since(entry.1) >= WINDOW {
            *entry = (0, now);
        }
        entry.0 = entry.0.saturating_add(1);
        if entry.0 == TRIES_MAX {
            // The lock lasts a whole window from here on.
            entry.1 = now;
        }
        entry.0 == TRIES_MAX
    }

    /// A token was right.
    pub(super) fn succeeded(&self, token: &Digest) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.valid.len() < REMEMBERED_MAX {
            seen.valid.insert(*token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUESSER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const WRONG: Digest = [1; 32];
    const RIGHT: Digest = [2; 32];

    #[test]
    fn the_tenth_wrong_token_locks_its_address_out_for_a_minute_and_no_one_else() {
        let (lockout, now) = (Lockout::default(), Instant::now());
        lockout.succeeded(&RIGHT);
        for n in 1..=TRIES_MAX {
            assert_eq!(lockout.remaining(GUESSER, &WRONG, now), None, "{n}");
            assert_eq!(lockout.failed(GUESSER, &WRONG, now), n == TRIES_MAX, "{n}");
        }
        assert_eq!(lockout.remaining(GUESSER, &WRONG, now), Some(WINDOW));
        assert_eq!(
            lockout.remaining(GUESSER, &RIGHT, now),
            None,
            "it was valid recently"
        );
        let other = IpAddr::from([127, 0, 0, 2]);
        assert_eq!(lockout.remaining(other, &WRONG, now), None);
        let later = now + WINDOW;
        assert_eq!(lockout.remaining(GUESSER, &WRONG, later), None);
        assert!(!lockout.failed(GUESSER, &WRONG, later), "counted from zero");
    }

    #[test]
    fn a_token_that_is_valid_no_more_is_locked_out_like_any_other() {
        let (lockout, now) = (Lockout::default(), Instant::now());
        lockout.succeeded(&RIGHT);
        for _ in 0..TRIES_MAX {
            lockout.failed(GUESSER, &RIGHT, now);
        }
        assert_eq!(lockout.remaining(GUESSER, &RIGHT, now), Some(WINDOW));
    }

    #[test]
    fn any_number_of_addresses_takes_bounded_memory() {
        let (lockout, now) = (Lockout::default(), Instant::now());
        for n in 0..20_000_u32 {
            lockout.failed(IpAddr::from(n.to_be_bytes()), &WRONG, now);
        }
        let seen = lockout.0.lock().expect("a lock");
        assert_eq!(seen.failures.len(), REMEMBERED_MAX);
    }
}
