//! What a transaction is for.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// What a transaction is for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Allows the venue to take exactly what the swap needs.
    Approve,
    /// The trade itself.
    Swap,
    /// Pays the owner: coins or tokens that leave the wallet for good.
    Transfer,
    /// Takes the nonce and moves nothing.
    Cancel,
}
