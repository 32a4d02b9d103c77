//! Until when an order may trade.

use crate::{
    app::AppError,
    domain::{Timestamp, config::OrderConfig, order::part_due},
};

/// Refuses an order whose time is over, or over before its last part is due.
///
/// # Errors
/// [`AppError::Usage`] says what would be in time.
pub(super) fn in_time(rules: &OrderConfig, started_at: Timestamp, now: Timestamp) -> Result<(), AppError> {
    let Some(until) = rules.until else {
        return Ok(());
    };
    let shown = |at: Timestamp| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    if until <= now {
        return Err(AppError::Usage(format!(
            "order.until = {}: that time is over, it is {}; give a later one, or none",
            shown(until),
            shown(now)
        )));
    }
    let last = part_due(rules, started_at, rules.slices.saturating_sub(1));
    if rules.slices > 1 && until <= last {
        return Err(AppError::Usage(format!(
            "order.until = {}: the last of its {} parts is due later, at {}; give a later one, or a shorter order.over ({})",
            shown(until),
            rules.slices,
            shown(last),
            rules.over
        )));
    }
    Ok(())
}
