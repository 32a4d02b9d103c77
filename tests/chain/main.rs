//! Live trading on local chains with the real contracts, and what every venue must do.

mod chaos;
mod conformance;
mod devnet;
mod live;
mod venue;
