//! The checks of the installation, made once for all who ask at the same time: they ask every node and open every key.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::wording::Http;
use crate::app::{
    App, AppError,
    doctor::{Check, doctor_of},
};

/// How long an answer is given again.
const FRESH: Duration = Duration::from_secs(10);

/// The last checks, and when they were made.
#[derive(Debug, Default)]
pub(super) struct Checks(Mutex<Option<(Instant, Vec<Check>)>>);

impl Checks {
    /// Those of the last 10 s, or new ones.
    pub(super) async fn made(&self, app: &App) -> Result<Vec<Check>, AppError> {
        let mut last = self.0.lock().await;
        if let Some((at, checks)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            tracing::debug!(age = ?at.elapsed(), "checks answered again");
            return Ok(checks.clone());
        }
        let mut checks = doctor_of(app).await?;
        for fix in checks.iter_mut().filter_map(|check| check.fix.as_mut()) {
            fix.write(&Http);
        }
        *last = Some((Instant::now(), checks.clone()));
        Ok(checks)
    }
}
