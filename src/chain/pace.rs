//! How fast a node is asked: the configured pace, what refusals for load teach, and the rest that a node asks for.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::sleep_until;

use super::budget::Budget;
use crate::domain::backoff::Backoff;

/// How long a node rests after consecutive refusals for load, unless it says how long.
const REST: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
/// A node that asks for a longer rest is tried again after this time.
const REST_MAX: Duration = Duration::from_secs(300);
/// A request waits so long for a node that rests; with more to wait it fails at once, and nothing is sent.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// The slowest pace that is learned.
const SPACING_MAX: Duration = Duration::from_secs(1);
/// Time without a refusal after which a slowed node is asked a quarter faster, whatever it refused before.
const FASTER_AFTER: Duration = Duration::from_secs(30);
/// After the answers of so much time at the present pace, a slowed node is asked twice as fast, up to just below the
/// pace that it refused.
const PROVEN_BY: Duration = Duration::from_millis(500);

/// The pace of one node. Each request of a batch counts, as providers count.
pub(super) struct Pace {
    configured: Duration,
    /// Compute units a second; `None`: not counted.
    units: Option<u32>,
    state: Mutex<State>,
}

struct State {
    /// Time between two requests; the configured one or, after refusals, more.
    spacing: Duration,
    next_free: Instant,
    rests_until: Option<Instant>,
    /// Consecutive refusals for load.
    refusals: u32,
    /// The spacing that was refused first of those; nothing is known of slower ones, since a node refuses for a
    /// while.
    refused: Option<Duration>,
    /// Requests that were answered since the spacing changed.
    answered: u32,
    changed: Instant,
}

impl Pace {
    pub(super) fn new(budget: &Budget) -> Self {
        let now = Instant::now();
        let spacing = Duration::from_secs(1)
            .checked_div(budget.requests_per_second)
            .unwrap_or_default();
        Self {
            configured: spacing,
            units: budget.compute_units_per_second,
            state: Mutex::new(State {
                spacing,
                next_free: now,
                rests_until: None,
                refusals: 0,
                refused: None,
                answered: 0,
                changed: now,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the node still rests.
    pub(super) fn rest(&self) -> Option<Duration> {
        let until = self.state().rests_until?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// The most requests of a batch: those of one second.
    pub(super) fn batch_max(&self) -> usize {
        let spacing = self.state().spacing.as_nanos().max(1);
        let a_second = Duration::from_secs(1).as_nanos() / spacing;
        usize::try_from(a_second).unwrap_or(usize::MAX).max(1)
    }

    /// The compute units of one second.
    pub(super) fn units_max(&self) -> u32 {
        self.units.unwrap_or(u32::MAX)
    }

    /// Waits until `requests` requests, which weigh `units`, may be sent.
    ///
    /// # Errors
    /// The time that the node still rests, if that is too long to wait.
    pub(super) async fn turn(&self, requests: usize, units: u32) -> Result<(), Duration> {
        loop {
            if let Some(left) = self.rest().filter(|left| *left > WAIT_MAX) {
                return Err(left);
            }
            let start = self.reserve(requests, units);
            sleep_until(start.into()).await;
            // Refused meanwhile: another turn is taken, after the rest.
            if self.rest().is_none() {
                return Ok(());
            }
        }
    }

    fn reserve(&self, requests: usize, units: u32) -> Instant {
        let now = Instant::now();
        let mut state = self.state();
        let slowed = state.spacing > self.configured;
        if slowed && now.saturating_duration_since(state.changed) >= FASTER_AFTER {
            let spacing = (state.spacing.saturating_mul(3) / 4).max(self.configured);
            state.change(spacing, now);
        }
        let start = state.next_free.max(now);
        let count = u32::try_from(requests).unwrap_or(u32::MAX);
        let by_units = self
            .units
            .and_then(|most| Duration::from_secs(units.into()).checked_div(most));
        let by_count = state.spacing.saturating_mul(count);
        state.next_free = start + by_count.max(by_units.unwrap_or_default());
        start
    }

    /// The node refused for load; `asked`: how long it wants to be left alone. Refusals of requests that were sent
    /// together count once.
    pub(super) fn refused(&self, asked: Option<Duration>) {
        let now = Instant::now();
        let mut state = self.state();
        let rests = state.rests_until.is_some_and(|until| now < until);
        if !rests {
            if state.refusals == 0 {
                state.refused = Some(state.spacing);
            }
            state.refusals = state.refusals.saturating_add(1);
            let spacing = state.spacing.saturating_mul(2).min(SPACING_MAX);
            state.change(spacing.max(self.configured), now);
        }
        let rest = asked.map_or_else(|| REST.after(state.refusals), |asked| asked.min(REST_MAX));
        let until = now + rest;
        if !rests || asked.is_some() {
            state.rests_until = Some(state.rests_until.map_or(until, |before| before.max(until)));
            state.next_free = state.next_free.max(until);
        }
    }

    /// The node answered `requests` requests.
    pub(super) fn answered(&self, requests: usize) {
        let mut state = self.state();
        state.refusals = 0;
        let fastest = state.refused.map_or(self.configured, |refused| {
            (refused.saturating_mul(4) / 3).max(self.configured)
        });
        if state.spacing <= fastest {
            return;
        }
        let requests = u32::try_from(requests).unwrap_or(u32::MAX);
        state.answered = state.answered.saturating_add(requests);
        if state.spacing.saturating_mul(state.answered) >= PROVEN_BY {
            let spacing = (state.spacing / 2).max(fastest);
            state.change(spacing, Instant::now());
        }
    }
}

impl State {
    fn change(&mut self, spacing: Duration, now: Instant) {
        self.spacing = spacing;
        self.answered = 0;
        self.changed = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(requests_per_second: u32, compute_units_per_second: Option<u32>) -> Pace {
        Pace::new(&Budget {
            requests_per_second,
            compute_units_per_second,
        })
    }

    #[test]
    fn what_weighs_more_than_its_turn_waits_for_its_units() {
        let pace = pace(100, Some(1_000));
        let first = pace.reserve(1, 250);
        let next = pace.reserve(1, 1);
        assert_eq!(next - first, Duration::from_millis(250), "a broadcast");
        assert_eq!(
            pace.reserve(1, 0) - next,
            Duration::from_millis(10),
            "a light one"
        );
        assert_eq!(pace.units_max(), 1_000);
    }

    #[tokio::test]
    async fn refusals_rest_longer_each_time_and_slow_the_node_down() {
        let pace = pace(20, None);
        assert_eq!(pace.batch_max(), 20);
        pace.refused(None);
        let first = pace.rest().expect("it rests");
        assert!(first <= Duration::from_secs(1), "{first:?}");
        // Sent before the rest began: the same refusal.
        pace.refused(None);
        assert!(pace.rest().expect("it rests") <= Duration::from_secs(1));
        assert_eq!(pace.batch_max(), 10);
        for (spacing, rest) in [(5, 2), (2, 4), (1, 8), (1, 16), (1, 30)] {
            pace.state().rests_until = None;
            pace.refused(None);
            let left = pace.rest().expect("it rests");
            assert!(left <= Duration::from_secs(rest), "{left:?}");
            assert!(left > Duration::from_secs(rest) / 2, "{left:?}");
            assert_eq!(pace.batch_max(), spacing);
        }
        // More to wait than a request may wait: nothing is sent.
        let left = pace.turn(1, 0).await.expect_err("too long");
        assert!(left > WAIT_MAX);
        pace.answered(1);
        pace.state().rests_until = None;
        pace.refused(Some(Duration::from_secs(86_400)));
        assert!(pace.rest().expect("it rests") <= REST_MAX);
    }

    #[test]
    fn a_batch_costs_as_many_turns_as_it_has_requests() {
        let pace = pace(5, None);
        let first = pace.reserve(5, 0);
        let next = pace.reserve(1, 0);
        assert_eq!(next - first, Duration::from_secs(1));
        assert_eq!(pace.reserve(1, 0) - next, Duration::from_millis(200));
    }

    #[test]
    fn answers_make_a_slowed_node_fast_again_up_to_just_below_what_it_refused() {
        let pace = pace(20, None);
        for _ in 0..3 {
            pace.state().rests_until = None;
            pace.refused(None);
        }
        assert_eq!(pace.state().spacing.as_millis(), 400);
        let mut answers = Vec::new();
        for count in 1..=30 {
            let before = pace.state().spacing;
            pace.answered(1);
            let spacing = pace.state().spacing;
            if spacing != before {
                answers.push((count, spacing.as_millis()));
            }
        }
        assert_eq!(answers, [(2, 200), (5, 100), (10, 66)]);
        // What was refused is only tried again after a while.
        pace.state().changed -= FASTER_AFTER;
        pace.reserve(1, 0);
        assert_eq!(pace.state().spacing.as_millis(), 50);
        // A node that still refuses is slowed down from there, and one refusal alone costs little.
        pace.state().rests_until = None;
        pace.refused(None);
        pace.answered(5);
        assert_eq!(pace.state().spacing.as_millis(), 66);
    }

    #[test]
    fn a_slowed_node_is_asked_faster_again_and_never_faster_than_configured() {
        let pace = pace(2, None);
        pace.refused(None);
        for expected in [750, 562, 500, 500] {
            pace.state().changed -= FASTER_AFTER;
            pace.reserve(1, 0);
            let spacing = pace.state().spacing;
            assert_eq!(spacing.as_millis(), expected, "{spacing:?}");
        }
    }
}
