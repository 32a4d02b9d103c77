//! Swaps and pool prices on decentralised exchanges. `api` says what a DEX must be able to do, each DEX is one file,
//! `list` names them all, and [`BestOf`] is the venue that asks them together.

mod aerodrome;
pub(super) mod api;
pub(super) mod assets;
mod best_of;
pub(super) mod calls;
mod choice;
mod clone;
mod command;
mod data_fee;
mod data_price;
mod executor;
mod family;
mod holdings;
mod impact;
mod links;
pub(super) mod list;
mod math;
mod mixed;
mod net;
pub(super) mod offers;
mod pancake_v3;
mod paths;
mod periphery;
pub(super) mod price;
mod rate;
mod reverted;
pub(super) mod reverts;
mod sale;
pub(super) mod search;
mod simulate;
mod slipstream;
mod survey;
mod swap_router;
mod trial;
mod uniswap_v2;
mod uniswap_v3;
mod uniswap_v4;
mod universal_router;
mod v2_forks;
mod venue;

pub use best_of::BestOf;
pub use survey::{Size, Survey, SurveyRequest, Surveyed, TriedTrip};
