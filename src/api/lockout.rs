//! Slows down those who try tokens. An address that has presented too many wrong ones is not listened to for a while,
//! except with what opens the API now: nobody on the same address is locked out with the guesser.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::app::{
    App, AppError,
    tokens::{self, Digest},
};

/// Wrong tokens of one address before it is locked out.
const TRIES_MAX: u32 = 10;
/// They are counted for this long, and an address is locked out for as long.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered at most.
const REMEMBERED_MAX: usize = 4_096;

/// Failures by address.
#[derive(Debug, Default)]
pub(super) struct Lockout(Mutex<HashMap<IpAddr, (u32, Instant)>>);

impl Lockout {
    /// How long what this address presents is not even looked up; `None`: it is.
    pub(super) fn remaining(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (tries, since) = failures.get(&address)?;
        let left = WINDOW.checked_sub(now.duration_since(*since))?;
        (*tries >= TRIES_MAX && !left.is_zero()).then_some(left)
    }

    /// A token was wrong. Answers whether this locks its address out.
    pub(super) fn failed(&self, address: IpAddr, now: Instant) -> bool {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= REMEMBERED_MAX {
            failures.retain(|_, (_, since)| now.duration_since(*since) < WINDOW);
        }
        if failures.len() >= REMEMBERED_MAX && !failures.contains_key(&address) {
            return false;
        }
        let entry = failures.entry(address).or_insert((0, now));
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
}

/// Digests of what opens the API, as they were read a moment ago. It only tells guesses from the rest: what is on it is
/// looked up all the same.
#[derive(Debug, Default)]
pub(super) struct Valid(tokio::sync::Mutex<Listed>);

#[derive(Debug, Default)]
struct Listed {
    read_at: Option<Instant>,
    digests: HashSet<Digest>,
}

/// However many guesses there are, the list is not read more often.
const READ_EVERY: Duration = Duration::from_millis(250);

impl Valid {
    /// Whether this digest is known.
    pub(super) async fn has(&self, app: &App, digest: &Digest) -> Result<bool, AppError> {
        let mut listed = self.0.lock().await;
        let fresh = listed.read_at.is_some_and(|at| at.elapsed() < READ_EVERY);
        if !listed.digests.contains(digest) && !fresh {
            listed.digests = tokens::valid(app).await?;
            listed.read_at = Some(Instant::now());
        }
        Ok(listed.digests.contains(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUESSER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn the_tenth_wrong_token_locks_its_address_out_for_a_minute_and_no_one_else() {
        let (lockout, now) = (Lockout::default(), Instant::now());
        for n in 1..=TRIES_MAX {
            assert_eq!(lockout.remaining(GUESSER, now), None, "{n}");
            assert_eq!(lockout.failed(GUESSER, now), n == TRIES_MAX, "{n}");
        }
        assert_eq!(lockout.remaining(GUESSER, now), Some(WINDOW));
        let other = IpAddr::from([127, 0, 0, 2]);
        assert_eq!(lockout.remaining(other, now), None);
        let later = now + WINDOW;
        assert_eq!(lockout.remaining(GUESSER, later), None);
        assert!(!lockout.failed(GUESSER, later), "counted from zero");
    }

    #[test]
    fn any_number_of_addresses_takes_bounded_memory() {
        let (lockout, now) = (Lockout::default(), Instant::now());
        for n in 0..20_000_u32 {
            lockout.failed(IpAddr::from(n.to_be_bytes()), now);
        }
        assert_eq!(lockout.0.lock().expect("a lock").len(), REMEMBERED_MAX);
    }
}
