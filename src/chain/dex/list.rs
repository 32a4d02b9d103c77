//! Every DEX that the venue asks. A new one is a file of its own and a line here; docs/extending.md lists the rest.

use alloy_primitives::Address;

use super::{
    aerodrome::Aerodrome,
    api::{Dex, Route},
    mixed::Mixed,
    pancake_v3::PancakeV3,
    slipstream,
    uniswap_v2::UniswapV2,
    uniswap_v3::UniswapV3,
    uniswap_v4::UniswapV4,
    v2_forks::V2Forks,
};
use crate::{chain::settings::ChainSpec, domain::pool::Pool};

/// In the order in which they are asked: of two pools that give the same, the first one is used.
pub(crate) const DEXES: &[&dyn Dex] = &[
    &UniswapV4,
    &UniswapV3,
    &UniswapV2,
    &Mixed,
    &PancakeV3,
    &slipstream::V3,
    &slipstream::INITIAL,
    &slipstream::CAPS,
    &Aerodrome,
    &V2Forks,
];

/// `pool` as a way from `token_in` to `token_out`; `None` if it does not trade them.
pub(crate) fn route(spec: &ChainSpec, pool: Pool, token_in: Address, token_out: Address) -> Option<Route> {
    let dex = DEXES.iter().find(|dex| dex.has(&pool))?;
    Route::through(*dex, spec, pool, token_in, token_out)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{
        chain::{ChainFile, v2_forks::ForkFile},
        domain::pool::NATIVE,
    };

    #[test]
    fn every_candidate_belongs_to_its_own_dex_alone() {
        let fork = ForkFile {
            factory: Address::repeat_byte(0xfa),
            router: Address::repeat_byte(0x70),
            init_code_hash: Default::default(),
            fee_bps: 25,
        };
        let keys = ChainFile {
            v2_forks: [("fork".to_owned(), fork)].into(),
            ..ChainFile::default()
        };
        let spec = ChainSpec::resolve("base", &keys).expect("built in");
        let names: HashSet<_> = DEXES.iter().map(|dex| dex.name()).collect();
        assert_eq!(names.len(), DEXES.len());
        for (token, quote) in [
            (Address::repeat_byte(0x70), NATIVE),
            (Address::repeat_byte(0x70), spec.usdc),
            (NATIVE, spec.usdc),
        ] {
            for dex in DEXES {
                let pools = dex.candidates(&spec, token, quote);
                // Routes of several pools are made of what the chain says that there is.
                assert_eq!(
                    pools.is_empty(),
                    dex.name() == "mixed",
                    "{} on {}",
                    dex.name(),
                    spec.name
                );
                for pool in pools {
                    let owners: Vec<_> = DEXES.iter().filter(|dex| dex.has(&pool)).collect();
                    assert_eq!(owners.len(), 1, "{pool}");
                    assert_eq!(owners[0].name(), dex.name(), "{pool}");
                }
            }
        }
    }

    #[test]
    fn a_chain_without_contracts_has_no_candidates() {
        let mut spec = ChainSpec::resolve("base", &Default::default()).expect("built in");
        spec.contracts = crate::domain::contracts::Contracts::NONE;
        for dex in DEXES {
            let pools = dex.candidates(&spec, Address::repeat_byte(0x70), NATIVE);
            assert!(pools.is_empty(), "{}", dex.name());
        }
    }
}
