//! How views write amounts and addresses.

use std::fmt;

use alloy_primitives::Address;
use serde::{Serialize, Serializer};

use crate::domain::units::Amount;

/// An amount of a token; written in whole tokens, exact: `1.25`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    pub units: Amount,
    pub decimals: u8,
}

impl Whole {
    pub const fn new(units: Amount, decimals: u8) -> Self {
        Self { units, decimals }
    }
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.units.to_whole(self.decimals))
    }
}

impl Serialize for Whole {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Writes an address with its checksum (EIP-55).
pub(in crate::app) fn checksum<S: Serializer>(address: &Address, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&address.to_checksum(None))
}

/// Writes what the value shows.
pub(in crate::app) fn shown<T: fmt::Display, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
