//! Recorded prices are checked before a job rests on them: at work, a file that cannot be read is only a missing price.

use crate::{
    app::AppError,
    domain::config::{JobConfig, SourceName},
    prices,
};

/// Refuses a configuration whose file of recorded prices cannot be read.
pub(super) fn check(config: &JobConfig) -> Result<(), AppError> {
    let recorded = config.price.recorded.as_ref();
    let used = config.price.sources.contains(&SourceName::Recorded);
    let Some(recorded) = recorded.filter(|_| used) else {
        return Ok(());
    };
    prices::check_recorded(recorded).map_err(|problem| {
        AppError::Usage(format!(
            "price.recorded.file = {} cannot be used: {problem}",
            recorded.file
        ))
    })
}
