//! How views write values that have more than one usual form.

use alloy_primitives::Address;
use serde::Serializer;

/// An address with its checksum (EIP-55).
///
/// # Errors
/// As the serializer.
pub fn checksum<S: Serializer>(address: &Address, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&address.to_checksum(None))
}

/// As [`checksum`]; null without an address.
///
/// # Errors
/// As the serializer.
pub fn checksum_or_null<S: Serializer>(address: &Option<Address>, to: S) -> Result<S::Ok, S::Error> {
    match address {
        Some(address) => checksum(address, to),
        None => to.serialize_none(),
    }
}
