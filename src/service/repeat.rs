//! The loop of every service.

use std::{fmt::Display, future::Future, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    outage::Outage,
    wakeups::{Listening, Wakeups},
};
use crate::domain::backoff::Backoff;

/// What a service does again and again.
pub trait Service: Send {
    /// Why a pass failed.
    type Error: Display + Send;

    /// One pass. Returns the time until the next one.
    fn pass(&mut self) -> impl Future<Output = Result<Duration, Self::Error>> + Send;

    /// Called after a pass failed or exceeded its limit.
    fn failed(&mut self) {}
}

/// Runs a [`Service`] until it is stopped. An outage is logged once at its start and once at its end; the loop
/// continues with exponential backoff.
#[derive(Debug)]
pub struct Loop {
    name: &'static str,
    wakeups: Wakeups,
    retry: Backoff,
    delay: Duration,
    limit: Option<Duration>,
    grace: Option<Duration>,
}

/// A pass that failed.
#[derive(Debug, thiserror::Error)]
enum PassError<E: Display> {
    #[error("{0}")]
    Failed(E),
    #[error("not done within {0:?}")]
    Limit(Duration),
}

impl Loop {
    /// A loop that starts at once, retries after 250 ms to 1 s, and finishes a running pass when it is stopped.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            wakeups: Wakeups::None,
            retry: Backoff::new(Duration::from_millis(250), Duration::from_secs(1)),
            delay: Duration::ZERO,
            limit: None,
            grace: None,
        }
    }

    /// Ends a sleep early.
    #[must_use]
    pub fn woken_by(mut self, wakeups: Wakeups) -> Self {
        self.wakeups = wakeups;
        self
    }

    /// The pauses after failures.
    #[must_use]
    pub const fn retry(mut self, retry: Backoff) -> Self {
        self.retry = retry;
        self
    }

    /// Time before the first pass.
    #[must_use]
    pub const fn starting_after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// A pass that takes longer is aborted and counts as failed: its connection may be dead without reporting it.
    #[must_use]
    pub const fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// A running pass is aborted this long after the stop.
    #[must_use]
    pub const fn abort_after(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Runs until `stop`.
    pub async fn run<S: Service>(self, service: &mut S, stop: &CancellationToken) {
        let mut outage = Outage::new(self.name);
        let mut listening = Listening::new(self.wakeups);
        let mut failures = 0_u32;
        if !self.delay.is_zero() && !paused(self.delay, stop).await {
            return;
        }
        while !stop.is_cancelled() {
            let passed = tokio::select! {
                passed = within(self.limit, service.pass()) => passed,
                () = aborted(self.grace, stop) => return,
            };
            let pause = match passed {
                Ok(pause) => {
                    outage.recovered();
                    failures = 0;
                    let connected = tokio::select! {
                        connected = listening.connect(self.limit) => connected,
                        () = stop.cancelled() => return,
                    };
                    if connected { Duration::ZERO } else { pause }
                }
                Err(error) => {
                    outage.failed(&error);
                    failures = failures.saturating_add(1);
                    listening.disconnect();
                    service.failed();
                    self.retry.after(failures)
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                () = listening.next() => {}
            }
        }
    }
}

/// `false` if it was stopped meanwhile.
async fn paused(pause: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(pause) => true,
    }
}

async fn within<E: Display>(
    limit: Option<Duration>,
    pass: impl Future<Output = Result<Duration, E>>,
) -> Result<Duration, PassError<E>> {
    match limit {
        None => pass.await.map_err(PassError::Failed),
        Some(limit) => match tokio::time::timeout(limit, pass).await {
            Ok(passed) => passed.map_err(PassError::Failed),
            Err(_) => Err(PassError::Limit(limit)),
        },
    }
}

async fn aborted(grace: Option<Duration>, stop: &CancellationToken) {
    match grace {
        None => std::future::pending().await,
        Some(grace) => {
            stop.cancelled().await;
            tokio::time::sleep(grace).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, future::pending, sync::Arc, time::Instant};

    use tokio::sync::Notify;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// Passes that answer in order; the last one stops the loop.
    struct Script {
        answers: VecDeque<Result<Duration, &'static str>>,
        passes: Vec<Instant>,
        failed: usize,
        stop: CancellationToken,
    }

    impl Service for Script {
        type Error = &'static str;

        async fn pass(&mut self) -> Result<Duration, &'static str> {
            self.passes.push(Instant::now());
            let answer = self.answers.pop_front();
            if self.answers.is_empty() {
                self.stop.cancel();
            }
            answer.unwrap_or(Ok(HOUR))
        }

        fn failed(&mut self) {
            self.failed += 1;
        }
    }

    async fn ran(service: Loop, answers: impl IntoIterator<Item = Result<Duration, &'static str>>) -> Script {
        let mut script = Script {
            answers: answers.into_iter().collect(),
            passes: Vec::new(),
            failed: 0,
            stop: CancellationToken::new(),
        };
        let stop = script.stop.clone();
        service.run(&mut script, &stop).await;
        script
    }

    #[tokio::test]
    async fn a_service_sleeps_as_it_says_and_backs_off_while_it_fails() {
        let pause = |millis| Duration::from_millis(millis);
        let answers = [
            Ok(pause(30)),
            Err("no"),
            Err("no"),
            Err("no"),
            Ok(pause(1)),
            Err("no"),
            Ok(HOUR),
        ];
        let service = Loop::new("test").retry(Backoff::new(pause(20), pause(50)));
        let began = Instant::now();
        let ran = ran(service.starting_after(pause(10)), answers).await;
        assert!(ran.passes[0] - began >= pause(10));
        let gaps = ran.passes.windows(2).map(|two| two[1] - two[0]);
        for (gap, least) in gaps.zip([30, 20, 40, 50, 1, 20]) {
            assert!(gap >= pause(least), "{gap:?} is shorter than {least} ms");
        }
        assert_eq!((ran.passes.len(), ran.failed), (7, 4));
    }

    #[tokio::test]
    async fn a_wake_up_ends_the_sleep() {
        let bell = Arc::new(Notify::new());
        bell.notify_one();
        let service = Loop::new("test").woken_by(Wakeups::Task(bell));
        assert_eq!(ran(service, [Ok(HOUR), Ok(HOUR)]).await.passes.len(), 2);
    }

    /// A pass that ends only on command.
    struct Hanging {
        release: Arc<Notify>,
        passes: usize,
        failed: usize,
        stop_after: usize,
        stop: CancellationToken,
    }

    impl Service for Hanging {
        type Error = &'static str;

        async fn pass(&mut self) -> Result<Duration, &'static str> {
            self.release.notified().await;
            self.passes += 1;
            Ok(HOUR)
        }

        fn failed(&mut self) {
            self.failed += 1;
            if self.failed == self.stop_after {
                self.stop.cancel();
            }
        }
    }

    fn hanging(stop_after: usize) -> Hanging {
        Hanging {
            release: Arc::new(Notify::new()),
            passes: 0,
            failed: 0,
            stop_after,
            stop: CancellationToken::new(),
        }
    }

    #[tokio::test]
    async fn a_pass_beyond_its_limit_is_aborted_and_counts_as_failed() {
        let mut service = hanging(2);
        let stop = service.stop.clone();
        let limited = Loop::new("test").limit(Duration::from_millis(10));
        limited.run(&mut service, &stop).await;
        assert_eq!((service.passes, service.failed), (0, 2));
    }

    #[tokio::test]
    async fn a_stop_aborts_a_pass_after_the_grace() {
        let mut service = hanging(0);
        let stop = service.stop.clone();
        let stopping = async {
            stop.cancel();
            pending::<()>().await;
        };
        let aborting = Loop::new("test").abort_after(Duration::from_millis(10));
        let ended = aborting.run(&mut service, &stop);
        tokio::select! {
            biased;
            () = ended => {}
            () = stopping => {}
        }
        assert_eq!(service.passes, 0);
    }

    #[tokio::test]
    async fn without_a_grace_a_stop_lets_a_pass_finish() {
        let mut service = hanging(0);
        let (stop, release) = (service.stop.clone(), service.release.clone());
        let ended = Loop::new("test").run(&mut service, &stop);
        let stopping = async {
            stop.cancel();
            tokio::task::yield_now().await;
            release.notify_one();
        };
        tokio::join!(ended, stopping);
        assert_eq!(service.passes, 1);
    }
}
