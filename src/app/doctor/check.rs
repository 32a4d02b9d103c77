//! One result of `doctor`.

use serde::Serialize;

use crate::app::message::Message;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CheckStatus {
    /// Nothing to do.
    Ok,
    /// Trading continues, but the operator should look at it.
    Warn,
    /// Something does not work until it is fixed.
    Fail,
}

/// One check: subject, finding and fix.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// How bad it is.
    pub status: CheckStatus,
    /// What was checked.
    pub what: &'static str,
    /// What was found.
    pub seen: String,
    /// How to fix it; `None` if all is well.
    pub fix: Option<Message>,
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
        fix: impl Into<Message>,
    ) -> Self {
        Self {
            status,
            what,
            seen: seen.to_string(),
            fix: Some(fix.into()),
        }
    }

    /// OK if `count` is zero.
    pub(super) fn none(what: &'static str, count: i64, status: CheckStatus, fix: impl Into<Message>) -> Self {
        if count == 0 {
            Self::ok(what, "none")
        } else {
            Self::bad(status, what, count, fix)
        }
    }
}
