//! One slice of slots: facts, rules, limits, and the trade that is frozen.

pub(in crate::engine) mod approve;
mod basket;
pub(in crate::engine) mod believe;
pub(in crate::engine) mod evaluate;
pub(in crate::engine) mod facts;
pub(in crate::engine) mod keys;
pub(in crate::engine) mod proof;
mod refereed;
pub(in crate::engine) mod sale;
pub(in crate::engine) mod shrunk;
pub(in crate::engine) mod tick;
