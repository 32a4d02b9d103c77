//! Live trading on local chains with the real contracts.

mod chaos;
mod devnet;
mod live;
mod venue;
