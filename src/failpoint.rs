//! Places where a test kills the process, compiled in with the feature `failpoints` only.

/// Every place between a decision and a settled trade, in order.
pub const POINTS: [&str; 10] = [
    "frozen", "signed", "recorded", "sent", "noted", "bumped", "filling", "filled", "failing", "failed",
];

/// Between a message that its receiver took and the note of that.
pub const NOTIFIED: &str = "notified";

/// Between a signal that was taken and the tick that it asked for.
pub const SIGNALLED: &str = "signalled";
/// Between a command that was taken from a chat and what it does; between that and its answer.
pub const CHAT_TAKEN: &str = "chat_taken";
/// See [`CHAT_TAKEN`].
pub const CHAT_DONE: &str = "chat_done";

/// Names the place to die at, such as `sent`, or `sent@3` for the third time it is reached.
pub const VARIABLE: &str = "LGI_MM_FAILPOINT";

/// Dies here, as SIGKILL does, if the environment says so.
#[cfg(feature = "failpoints")]
pub(crate) fn reach(name: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};

    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };

    static REACHED: AtomicU32 = AtomicU32::new(0);
    let Ok(wanted) = std::env::var(VARIABLE) else {
        return;
    };
    let (place, times) = wanted.split_once('@').unwrap_or((&wanted, "1"));
    if place == name
        && REACHED
            .fetch_add(1, Ordering::SeqCst)
            .saturating_add(1)
            .to_string()
            == times
    {
        // Nothing runs after this: no destructor, no flush.
        let _ = kill(Pid::this(), Signal::SIGKILL);
        std::thread::park();
    }
}

/// Nothing, in what users run.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn reach(_: &str) {}
