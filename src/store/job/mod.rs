//! Jobs: their rows, slots, orders, prices and what the rules remember.

pub mod adoption;
pub mod basket;
pub mod bulk;
pub(in crate::store) mod earned;
mod filter;
pub mod jobs;
pub mod known;
pub(in crate::store) mod leaving;
pub mod members;
pub mod memory;
pub mod orders;
mod parsed;
pub mod placed;
pub(in crate::store) mod pocket;
mod refused;
pub mod samples;
pub mod slots;
pub mod together;
pub(in crate::store) mod version;
pub mod zone_rules;
