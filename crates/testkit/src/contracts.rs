//! Where `scripts/test` put the contracts.

use std::path::PathBuf;

use crate::root;

/// The directory with `node_modules` of `scripts/contracts`.
pub fn contracts() -> PathBuf {
    let given = std::env::var_os("LGI_MM_CONTRACTS").map(PathBuf::from);
    given.unwrap_or_else(|| root().join("target/tools/contracts"))
}
