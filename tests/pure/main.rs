//! The pure core: rules, limits, schedules, the life of a trade, the protocol's model. No database, no process.

mod brute;
mod lifecycle;
mod model;
mod price_files;
mod rules;
mod schedule;
mod sweep;
mod zones;
