//! Which version of a row was read.

use crate::domain::Timestamp;

/// Which version of a row: the transaction that wrote it, and when that began. A transaction's number alone comes
/// again after four billion, or in a database that was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct RowVersion {
    pub(in crate::store) by: String,
    pub(in crate::store) at: Timestamp,
}
