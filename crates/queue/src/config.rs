//! Settings of the workers of one queue.

use std::time::Duration;

use sqlx::PgPool;

/// The settings of one queue's workers.
#[derive(Debug, Clone)]
pub struct QueueConfig {
    /// The queue (apalis calls it the job type): one payload type each.
    pub name: String,
    /// Names the process: worker names begin with it and a `-`, so that
    /// `count(DISTINCT split_part(id, '-', 1))` over `apalis.workers` counts processes. Empty: no such prefix. Without
    /// `-`, and different in each process.
    pub process: String,
    /// Connections for the lease and the listener. Queues of one process may share a pool of one for each of them and
    /// one more, and the owner closes it after they have ended. `None`: two of this queue's own.
    pub lifeline: Option<PgPool>,
    /// Groups in flight at a time, at least 1.
    pub concurrency: usize,
    /// The most tasks of one group, at least 1.
    pub batch: usize,
    /// Longest sleep between two polls, should a notification get lost.
    pub poll: Duration,
    /// Time between two heartbeats: each renews the lease.
    pub heartbeat: Duration,
    /// How long a worker keeps its tasks without a heartbeat; at least three heartbeats.
    pub lease: Duration,
    /// How long one group may run.
    pub timeout: Duration,
    /// The first pause after a group failed as a whole; doubled by each attempt.
    pub retry_first: Duration,
    /// The longest such pause.
    pub retry_max: Duration,
    /// How long a shutdown waits for running handlers.
    pub grace: Duration,
    /// How long a shutdown waits, after the grace, for the database to take the last acknowledgements.
    pub flush: Duration,
    /// Whether rows of finished tasks stay, as `Done`.
    pub keep_done: bool,
}

/// Settings that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueConfigError {
    /// A count that must be positive is 0 or above 10000.
    #[error("queue '{queue}': {field} is {value}, and must be 1 to 10000")]
    Count {
        /// The queue's name.
        queue: String,
        /// The setting's name.
        field: &'static str,
        /// The refused value.
        value: usize,
    },
    /// A duration that must be positive is 0.
    #[error("queue '{queue}': {field} is 0; give it a length such as 1s")]
    Zero {
        /// The queue's name.
        queue: String,
        /// The setting's name.
        field: &'static str,
    },
    /// A process whose name would be cut where worker names are split.
    #[error("queue '{queue}': process is '{process}', and must have no '-'")]
    Process {
        /// The queue's name.
        queue: String,
        /// The refused name.
        process: String,
    },
    /// A lease that one late heartbeat would let expire.
    #[error("queue '{queue}': lease is {lease:?}, and must be at least three heartbeats of {heartbeat:?}")]
    ShortLease {
        /// The queue's name.
        queue: String,
        /// The refused lease.
        lease: Duration,
        /// The heartbeat it was compared with.
        heartbeat: Duration,
    },
}

const COUNT_MAX: usize = 10_000;

impl QueueConfig {
    /// Settings that suit short tasks: 4 groups of up to 100, a lease of 5 s.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            process: String::new(),
            lifeline: None,
            concurrency: 4,
            batch: 100,
            poll: Duration::from_secs(1),
            heartbeat: Duration::from_secs(1),
            lease: Duration::from_secs(5),
            timeout: Duration::from_secs(60),
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(300),
            grace: Duration::from_secs(25),
            flush: Duration::from_secs(5),
            keep_done: false,
        }
    }

    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`QueueConfigError`] names the queue, the setting, its value and what is allowed.
    pub fn check(&self) -> Result<(), QueueConfigError> {
        let queue = || self.name.clone();
        let counts = [("concurrency", self.concurrency), ("batch", self.batch)];
        for (field, value) in counts {
            if !(1..=COUNT_MAX).contains(&value) {
                return Err(QueueConfigError::Count {
                    queue: queue(),
                    field,
                    value,
                });
            }
        }
        if self.process.contains('-') {
            return Err(QueueConfigError::Process {
                queue: queue(),
                process: self.process.clone(),
            });
        }
        let durations = [
            ("poll", self.poll),
            ("heartbeat", self.heartbeat),
            ("timeout", self.timeout),
            ("retry_first", self.retry_first),
        ];
        for (field, value) in durations {
            if value.is_zero() {
                return Err(QueueConfigError::Zero {
                    queue: queue(),
                    field,
                });
            }
        }
        if self.lease < self.heartbeat.saturating_mul(3) {
            return Err(QueueConfigError::ShortLease {
                queue: queue(),
                lease: self.lease,
                heartbeat: self.heartbeat,
            });
        }
        Ok(())
    }

    /// The pause before attempt `attempt` + 1 of a task whose group failed as a whole: doubled each time,
    /// shortened by up to half depending on the row's id, so that the members do not all retry at once.
    pub(crate) fn backoff(&self, row: &str, attempt: u32) -> Duration {
        let longest = doubled(self.retry_first, attempt, self.retry_max);
        let spread = row.bytes().fold(0_u32, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u32::from(byte))
        }) % 512;
        longest / 1_024 * (1_024 - spread)
    }
}

/// The pause after this number of consecutive failures: `first`, doubled by each further one, at most `longest`.
pub(crate) fn doubled(first: Duration, failures: u32, longest: Duration) -> Duration {
    let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
    first.saturating_mul(factor).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_work_and_settings_that_cannot_work_are_named() {
        let good = QueueConfig::new("tick");
        assert_eq!(good.check(), Ok(()));
        type Spoil = fn(&mut QueueConfig);
        let cases: [(Spoil, &str); 5] = [
            (|config| config.batch = 0, "batch is 0, and must be 1 to 10000"),
            (
                |config| config.process = "host-1".to_owned(),
                "process is 'host-1', and must have no '-'",
            ),
            (|config| config.concurrency = 10_001, "concurrency is 10001"),
            (|config| config.poll = Duration::ZERO, "poll is 0"),
            (
                |config| config.lease = Duration::from_secs(2),
                "at least three heartbeats",
            ),
        ];
        for (spoil, says) in cases {
            let mut bad = good.clone();
            spoil(&mut bad);
            let error = bad.check().expect_err(says).to_string();
            assert!(error.contains(says) && error.contains("'tick'"), "{error}");
        }
    }

    #[test]
    fn the_backoff_doubles_up_to_its_maximum_and_is_spread() {
        let config = QueueConfig::new("tick");
        for (attempt, longest) in [(1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (1_000, 300)] {
            let longest = Duration::from_secs(longest);
            for row in ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW"] {
                let pause = config.backoff(row, attempt);
                assert!(pause <= longest && pause * 2 >= longest, "{attempt}: {pause:?}");
            }
        }
        assert_ne!(config.backoff("a", 1), config.backoff("b", 1));
    }
}
