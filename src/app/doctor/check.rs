//! One result of `doctor`.

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CheckStatus {
    /// Nothing to do.
    Ok,
    /// Trading continues, but somebody should look at it.
    Warn,
    /// Something does not work until it is fixed.
    Fail,
}

/// What was checked, what was found and what fixes it.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// How bad it is.
    #[serde(rename = "verdict")]
    pub status: CheckStatus,
    /// What was checked.
    pub what: &'static str,
    /// What was found.
    pub seen: String,
    /// What to do about it; none if all is well.
    #[serde(rename = "mend")]
    pub fix: Option<String>,
}

impl Check {
    pub(super) fn ok(what: &'static str, seen: impl ToString) -> Self {
        Self {
            status: CheckStatus::Ok,
            what,
            seen: seen.to_string(),
            fix: None,
        }
    }

    pub(super) fn bad(
        status: CheckStatus,
        what: &'static str,
        seen: impl ToString,
        fix: impl ToString,
    ) -> Self {
        Self {
            status,
            what,
            seen: seen.to_string(),
            fix: Some(fix.to_string()),
        }
    }

    /// OK if `count` is zero.
    pub(super) fn none(what: &'static str, count: i64, status: CheckStatus, fix: &str) -> Self {
        if count == 0 {
            Self::ok(what, "none")
        } else {
            Self::bad(status, what, count, fix)
        }
    }
}
