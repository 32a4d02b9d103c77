//! What faces keep: who may use the HTTP API, what was answered, and what a chat commanded.

pub mod chat;
pub mod requests;
pub mod sessions;
pub mod signals;
pub mod tokens;
