//! What this process failed to do when it last tried, for readiness.

use std::{
    collections::BTreeMap,
    sync::{LazyLock, Mutex, PoisonError},
};

/// By what cannot be done: why.
static INABILITIES: LazyLock<Mutex<BTreeMap<&'static str, String>>> = LazyLock::new(Mutex::default);

/// Records the end of a try: why it failed, or `None` if it did not. `what` completes a sentence, such as "slots cannot
/// be claimed".
pub fn note_ability(what: &'static str, failed: Option<String>) {
    let mut inabilities = INABILITIES.lock().unwrap_or_else(PoisonError::into_inner);
    match failed {
        Some(why) => drop(inabilities.insert(what, why)),
        None => drop(inabilities.remove(what)),
    }
}

/// What this process cannot do, and why; the first of it.
#[must_use]
pub fn inability() -> Option<String> {
    let inabilities = INABILITIES.lock().unwrap_or_else(PoisonError::into_inner);
    let first = inabilities.iter().next();
    first.map(|(what, why)| format!("{what}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_lasts_until_the_next_success() {
        note_ability("boats cannot be mended", Some("no tar".to_owned()));
        assert_eq!(inability().as_deref(), Some("boats cannot be mended: no tar"));
        note_ability("boats cannot be mended", None);
        assert_eq!(inability(), None);
    }
}
