//! What the HTTP API keeps: who may use it, and what was answered.

pub mod requests;
pub mod sessions;
pub mod signals;
pub mod tokens;
