//! The pure core: rules, limits, schedules, the life of a trade, the protocol's model. No database, no process.

mod lifecycle;
mod model;
mod rules;
mod schedule;
mod sweep;
mod zones;
