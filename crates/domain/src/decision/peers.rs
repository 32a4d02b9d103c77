//! The other members of a basket, as one member sees them.

use rust_decimal::Decimal;

use crate::{
    ids::JobId,
    units::{Amount, Usd},
};

/// Another member of the same basket that is RUNNING.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its job.
    pub job: JobId,
    /// Its `basket.weight`.
    pub weight: Decimal,
    /// Its `basket.band_pct`.
    pub band_pct: Decimal,
    /// Value of its tokens at the last price that it accepted; `None`: it has none that is recent.
    pub tokens: Option<Usd>,
    /// Quote that it owns, base units.
    pub quote: Amount,
    /// A sale of it is open.
    pub sells: bool,
    /// A trade of it is open, or could still be undone: its quote stays where it is.
    pub in_motion: bool,
    /// Something keeps it from trading: nobody waits for it.
    pub blocked: bool,
}

/// The other members of a basket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peers {
    /// Those that were started, in whatever status they are now.
    pub started: u32,
    /// Those that are RUNNING. Others are left out: they keep their tokens and their quote, and the rest share by the
    /// weights that are left.
    pub running: Vec<Peer>,
}
