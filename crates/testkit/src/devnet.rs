//! A local chain for each test, deployed once.

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

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

/// Pools of a saved state are at most this old: launch taxes and young pools depend on their age.
const STATE_FOR_SECS: u64 = 1_800;

/// The state depends on the contracts and on what deploys them; another program, and another half hour, makes another
/// file.
fn saved_state() -> PathBuf {
    let sources = [
        include_str!("../../../src/devnet/deploy.rs"),
        include_str!("../../../src/devnet/pools.rs"),
        include_str!("../../../src/devnet/code.rs"),
        include_str!("../../../scripts/contracts/package-lock.json"),
    ];
    let version = alloy_primitives::keccak256(sources.concat());
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let part = since.map_or(0, |since| since.as_secs() / STATE_FOR_SECS);
    let name = |part: u64| format!("devnet-{}-{part}.json", &version.to_string()[2..14]);
    // Nobody reads one of an hour ago any more.
    for old in 2..6 {
        let _gone = std::fs::remove_file(scratch().join(name(part.saturating_sub(old))));
    }
    scratch().join(name(part))
}
