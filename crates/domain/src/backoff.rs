//! Pauses after failures: exponential backoff, and what a server asks for.

use std::time::Duration;

use chrono::DateTime;
use rust_decimal::{Decimal, prelude::ToPrimitive};

use crate::Timestamp;

/// The pause that a server asks for in `Retry-After`, or in the body of its answer: seconds, whole or not, or an HTTP
/// date. `None` if it is neither.
#[must_use]
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<Decimal>() {
        let millis = seconds.checked_mul(Decimal::ONE_THOUSAND)?.ceil();
        return millis.to_u64().map(Duration::from_millis);
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    Some(
        until
            .to_utc()
            .signed_duration_since(now)
            .to_std()
            .unwrap_or_default(),
    )
}

/// Pauses that double with each consecutive failure, up to a maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Pauses from `first` to `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The pause after this number of consecutive failures.
    #[must_use]
    pub fn after(self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.first.saturating_mul(doubled).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_asks_for_is_seconds_or_a_date() {
        let now = "2026-11-29T04:00:00Z".parse().expect("a time");
        for (text, millis) in [
            ("7", Some(7_000)),
            (" 3.7 ", Some(3_700)),
            ("0.0004", Some(1)),
            ("0", Some(0)),
            ("Sun, 29 Nov 2026 04:01:30 GMT", Some(90_000)),
            ("Sun, 29 Nov 2026 03:59:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
            ("1e400", None),
        ] {
            let asked = retry_after(text, now).map(|pause| pause.as_millis());
            assert_eq!(asked, millis, "{text}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));
        let seconds = [0, 1, 2, 3, 9, 10, 1_000].map(|failures| backoff.after(failures).as_secs());
        assert_eq!(seconds, [1, 1, 2, 4, 256, 300, 300]);
    }
}
