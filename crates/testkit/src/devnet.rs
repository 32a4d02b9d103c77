//! A local chain for each test, deployed once.

use std::path::PathBuf;

use lgi_mm::devnet::{BlockTime, Devnet, DevnetOptions};

use crate::{contracts, programs::scratch};

/// A chain of this test, with everything deployed.
pub async fn devnet(block_time: BlockTime) -> Devnet {
    let options = DevnetOptions {
        contracts: contracts(),
        state: Some(saved_state()),
        block_time,
        ..DevnetOptions::default()
    };
    Devnet::start(&options)
        .await
        .expect("a local chain; scripts/test installs what it needs")
}

/// The state depends on the contracts and on what deploys them; another program makes another file.
fn saved_state() -> PathBuf {
    let sources = [
        include_str!("../../../src/devnet/deploy.rs"),
        include_str!("../../../src/devnet/pools.rs"),
        include_str!("../../../src/devnet/code.rs"),
        include_str!("../../../scripts/contracts/package-lock.json"),
    ];
    let version = alloy_primitives::keccak256(sources.concat());
    scratch().join(format!("devnet-{}.json", &version.to_string()[2..14]))
}
