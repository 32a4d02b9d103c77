//! One open trade: sign, send, observe, book.

pub(in crate::engine) mod finish;
pub(in crate::engine) mod foreign;
pub(in crate::engine) mod news;
pub(in crate::engine) mod observe;
pub(in crate::engine) mod progress;
pub(in crate::engine) mod recover;
pub(in crate::engine) mod settle;
pub(in crate::engine) mod submit;
pub(in crate::engine) mod turn;
