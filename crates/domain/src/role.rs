//! What a token of the HTTP API may do.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantArray};

use crate::name::read_in_any_case;

/// A role; each may do what those before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Display, EnumString, VariantArray, Serialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Pauses, resumes and ticks, and runs backtests.
    Operator,
    /// Starts, edits, sells, and moves what a job owns.
    Owner,
}

read_in_any_case!(Role);

/// What a token of the HTTP API is used with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, VariantArray, Serialize, Deserialize)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// A program's, in a header.
    Token,
    /// Opens the console once, and becomes a session.
    Link,
    /// A browser's, in a cookie.
    Session,
}
