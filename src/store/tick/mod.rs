//! Ticks: what was decided at each slot.

pub mod history;
pub mod ticks;
