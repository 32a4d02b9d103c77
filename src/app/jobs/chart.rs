//! The prices of a job over time, few enough to draw.

use crate::{
    app::{App, AppError, Target, target},
    domain::{Timestamp, span::Span, units::Price},
    store::{self, samples},
};

/// Points at most.
const POINTS: u32 = 600;
const SHORTEST: Span = Span::from_secs(60);
const LONGEST: Span = Span::from_secs(366 * 24 * 60 * 60);

/// Prices that a job accepted, one in each step: the last.
#[derive(Debug)]
pub struct Chart {
    pub from: Timestamp,
    pub until: Timestamp,
    pub step: Span,
    pub points: Vec<(Timestamp, Price)>,
}

/// The prices of the last `over`, or since the job was created, of the series that its rules look at.
///
/// # Errors
/// Bad input for a length of time that is not 1m to 366d; not found.
pub async fn chart(app: &App, target: &Target, over: Span) -> Result<Chart, AppError> {
    if !(SHORTEST..=LONGEST).contains(&over) {
        return Err(AppError::Usage(format!(
            "over {over}: must be {SHORTEST} to {LONGEST}"
        )));
    }
    let job = target::find_ever(&app.pool, target).await?;
    let until = store::now(&app.pool).await?;
    // A young job has no prices of its own from before, and its few are not drawn as one.
    let from = over.before(until).max(job.created_at);
    let drawn = u64::try_from((until - from).num_seconds()).unwrap_or_default();
    let step = Span::from_secs((drawn / u64::from(POINTS)).max(1));
    let points = samples::thinned(&app.pool, &job, from, step).await?;
    Ok(Chart {
        from,
        until,
        step,
        points,
    })
}
