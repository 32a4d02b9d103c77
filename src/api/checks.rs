//! The checks of the installation, made once for all who ask at the same time: they ask every node and open every key.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::wording::Http;
use crate::app::{
    App, AppError,
    doctor::{Check, doctor_of},
};

/// How long an answer is given again at least; one that took long, for as many times as long as it took.
const FRESH: Duration = Duration::from_secs(10);
const TIMES: u32 = 3;

/// The last checks, and until when they are answered.
#[derive(Debug, Default)]
pub(super) struct Checks(Mutex<Option<(Instant, Vec<Check>)>>);

impl Checks {
    /// The last ones, or new ones.
    pub(super) async fn made(&self, app: &App) -> Result<Vec<Check>, AppError> {
        let mut last = self.0.lock().await;
        if let Some((_, checks)) = last.as_ref().filter(|(until, _)| Instant::now() < *until) {
            return Ok(checks.clone());
        }
        let begun = Instant::now();
        let mut checks = doctor_of(app).await?;
        for fix in checks.iter_mut().filter_map(|check| check.fix.as_mut()) {
            fix.write(&Http);
        }
        let fresh = FRESH.max(begun.elapsed().saturating_mul(TIMES));
        let until = Instant::now().checked_add(fresh).unwrap_or(begun);
        *last = Some((until, checks.clone()));
        Ok(checks)
    }
}
