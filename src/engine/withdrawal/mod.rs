//! What the owner takes out.

pub mod withdraw;
pub(in crate::engine) mod withdrawn;
