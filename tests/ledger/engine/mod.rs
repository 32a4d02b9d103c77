//! The engine on a real database and the paper venue: what is decided once happens once.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot continue fails"
)]

mod apart;
mod basket;
mod basket_unread;
mod blocked;
mod budget;
mod dropped;
mod each_row;
mod events;
mod every_event;
mod exactly_once;
mod faults;
mod fees;
mod followed;
mod laws;
mod lifecycle;
mod memory;
mod order_counted_in;
mod order_sold_out;
mod orders;
mod paused;
mod quiet;
mod remembered;
mod reorgs;
mod sources;
mod stops;
mod taken_back;
mod told;
mod turns;
mod world;
