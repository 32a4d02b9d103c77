//! Where `scripts/test` put the contracts.

use std::path::PathBuf;

/// The directory with `node_modules` of `scripts/contracts`.
pub fn contracts() -> PathBuf {
    let given = std::env::var_os("LGI_MM_CONTRACTS").map(PathBuf::from);
    given.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/contracts")))
}
