//! Database outages: exponential backoff, one log line at the start and one at the end.

use std::{fmt, future::Future, time::Duration};

use tokio::time::Instant;

use crate::config::doubled;

/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    #[error("{}", said(.0))]
    Database(#[from] sqlx::Error),
    #[error("no answer within {0:?}")]
    Silence(Duration),
    #[error("the connection was lost")]
    Lost,
}

/// What the server says, with its SQLSTATE. The driver's own text names a line of the server's source.
fn said(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            format!("{} (SQLSTATE {code})", error.message())
        }
        other => other.to_string(),
    }
}

/// The longest wait for one statement: a dead connection may not report an error by itself.
const ANSWER: Duration = Duration::from_secs(10);

/// Limits the wait for a statement.
pub(crate) async fn answered<V>(
    statement: impl Future<Output = Result<V, sqlx::Error>>,
) -> Result<V, QueryError> {
    match tokio::time::timeout(ANSWER, statement).await {
        Ok(answer) => answer.map_err(QueryError::Database),
        Err(_) => Err(QueryError::Silence(ANSWER)),
    }
}

/// Tracks failures of one kind of database work.
pub(crate) struct Outage {
    work: &'static str,
    queue: String,
    began: Option<Instant>,
    failures: u32,
    longest: Duration,
}

impl Outage {
    const SHORTEST: Duration = Duration::from_millis(50);

    /// `work` completes "cannot ..".
    pub(crate) fn of(work: &'static str, queue: &str, longest: Duration) -> Self {
        Self {
            work,
            queue: queue.to_owned(),
            began: None,
            failures: 0,
            longest,
        }
    }

    /// Whether the last try failed.
    pub(crate) fn lasts(&self) -> bool {
        self.began.is_some()
    }

    /// Notes a failure and returns how long to wait before the next try.
    pub(crate) fn failed(&mut self, error: &impl fmt::Display) -> Duration {
        if self.began.is_none() {
            self.began = Some(Instant::now());
            tracing::warn!(queue = %self.queue, %error, "cannot {}; retrying", self.work);
        }
        self.failures = self.failures.saturating_add(1);
        doubled(Self::SHORTEST, self.failures, self.longest)
    }

    /// Notes a success.
    pub(crate) fn passed(&mut self) {
        if let Some(began) = self.began.take() {
            let seconds = began.elapsed().as_secs();
            tracing::info!(queue = %self.queue, "can {} again after {seconds} s", self.work);
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_start_again_after_a_success() {
        let mut outage = Outage::of("test", "queue", Duration::from_millis(300));
        let mut pauses = || [(); 5].map(|()| outage.failed(&"no").as_millis());
        assert_eq!(pauses(), [50, 100, 200, 300, 300]);
        assert!(outage.lasts());
        outage.passed();
        assert!(!outage.lasts());
        assert_eq!(outage.failed(&"no").as_millis(), 50);
    }
}
