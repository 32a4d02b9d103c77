//! What this process failed to do when it last tried, for readiness.

use std::{
    collections::BTreeMap,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What failed is tried again within seconds, here or by another process. After this long without another failure here,
/// nothing is known any more.
const KNOWN_FOR: Duration = Duration::from_secs(60);

/// Failures by operation: since when, and why.
static INABILITIES: LazyLock<Mutex<BTreeMap<&'static str, (Instant, String)>>> =
    LazyLock::new(Mutex::default);

/// Records the end of an attempt: why it failed, or `None` if it did not. `what` completes a sentence, such as "slots
/// cannot be claimed".
pub fn note_ability(what: &'static str, failed: Option<String>) {
    let mut inabilities = INABILITIES.lock().unwrap_or_else(PoisonError::into_inner);
    match failed {
        Some(why) => drop(inabilities.insert(what, (Instant::now(), why))),
        None => drop(inabilities.remove(what)),
    }
}

/// The first operation that failed in the last minute, and why.
#[must_use]
pub fn inability() -> Option<String> {
    known_at(Instant::now())
}

fn known_at(now: Instant) -> Option<String> {
    let inabilities = INABILITIES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut known = inabilities
        .iter()
        .filter(|(_, (noted, _))| now.duration_since(*noted) < KNOWN_FOR);
    known.next().map(|(what, (_, why))| format!("{what}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_lasts_until_the_next_success_or_for_a_minute() {
        note_ability("boats cannot be painted", Some("no brush".to_owned()));
        assert_eq!(inability().as_deref(), Some("boats cannot be painted: no brush"));
        assert_eq!(known_at(Instant::now() + KNOWN_FOR), None);
        note_ability("boats cannot be painted", None);
        assert_eq!(inability(), None);
    }
}
