//! Restored, lost and forgotten databases.
