//! SQL only.
