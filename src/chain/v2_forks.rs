//! `[chains.NAME.v2_forks.FORK]`: exchanges that copied Uniswap V2.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, keccak256};
use serde::{Deserialize, Serialize};

use super::problems::Problems;
use crate::domain::fork::{FORKS_MAX, ForkName};

/// Highest fee, basis points.
const FEE_BPS_MAX: u32 = 1_000;

/// `[chains.NAME.v2_forks.FORK]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForkFile {
    /// Makes pairs.
    pub factory: Address,
    /// A router with the functions of Uniswap V2's Router02, for pairs of that factory.
    pub router: Address,
    /// The hash of a pair's creation code, from which the addresses of pairs follow.
    pub init_code_hash: B256,
    /// What a pair keeps of a swap's input, 0 to 1000 basis points.
    pub fee_bps: u32,
}

/// A fork, complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fork {
    /// Its name in settings, pools and the policy.
    pub name: ForkName,
    /// Makes pairs.
    pub factory: Address,
    /// Swaps in them.
    pub router: Address,
    /// The hash of a pair's creation code.
    pub init_code_hash: B256,
    /// What a pair keeps of a swap's input, basis points.
    pub fee_bps: u32,
}

/// The address of the pair of two tokens, by the hash of a pair's creation code.
pub(super) fn pair(factory: Address, init_code_hash: B256, one: Address, other: Address) -> Address {
    let salt = keccak256([one.min(other).as_slice(), one.max(other).as_slice()].concat());
    factory.create2(salt, init_code_hash)
}

impl Problems<'_> {
    /// The forks that can be used; what is wrong with the others is noted.
    pub(super) fn v2_forks(&mut self, given: &BTreeMap<String, ForkFile>) -> Vec<Fork> {
        if given.len() > FORKS_MAX {
            self.found
                .refuse("v2_forks", given.len(), format!("at most {FORKS_MAX} forks"));
        }
        let mut forks = Vec::new();
        for (name, file) in given {
            let key = format!("v2_forks.{name}");
            let Ok(fork) = name.parse::<ForkName>() else {
                self.found
                    .refuse(&key, name, "a name of 1 to 16 of a-z, 0-9 and the hyphen");
                continue;
            };
            for (what, address) in [("factory", file.factory), ("router", file.router)] {
                if address.is_zero() {
                    self.found
                        .refuse(&format!("{key}.{what}"), address, "the address of a contract");
                }
            }
            self.found
                .range(&format!("{key}.fee_bps"), file.fee_bps, 0, FEE_BPS_MAX);
            forks.push(Fork {
                name: fork,
                factory: file.factory,
                router: file.router,
                init_code_hash: file.init_code_hash,
                fee_bps: file.fee_bps,
            });
        }
        forks
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::address;

    use super::*;
    use crate::chain::{ChainFile, ChainSpec};

    fn file() -> ForkFile {
        ForkFile {
            factory: Address::repeat_byte(1),
            router: Address::repeat_byte(2),
            init_code_hash: B256::ZERO,
            fee_bps: 25,
        }
    }

    fn resolved(forks: &[(&str, ForkFile)]) -> Result<Vec<Fork>, String> {
        let keys = ChainFile {
            v2_forks: forks
                .iter()
                .map(|(name, file)| ((*name).to_owned(), file.clone()))
                .collect(),
            ..ChainFile::default()
        };
        let spec = ChainSpec::resolve("base", &keys).map_err(|error| error.to_string())?;
        Ok(spec.v2_forks)
    }

    #[test]
    fn a_fork_that_cannot_be_used_is_named_with_what_is_allowed() {
        assert_eq!(resolved(&[("a", file()), ("b-2", file())]).expect("two").len(), 2);
        let zero = ForkFile {
            router: Address::ZERO,
            ..file()
        };
        let expensive = ForkFile {
            fee_bps: 1_001,
            ..file()
        };
        let names: Vec<String> = (0..=FORKS_MAX).map(|index| format!("f{index}")).collect();
        let many: Vec<(&str, ForkFile)> = names.iter().map(|name| (name.as_str(), file())).collect();
        for (forks, said) in [
            (vec![("Sushi", file())], "chains.base.v2_forks.Sushi"),
            (vec![("a", zero)], "chains.base.v2_forks.a.router"),
            (
                vec![("a", expensive)],
                "chains.base.v2_forks.a.fee_bps = 1001 is not allowed: 0 to 1000",
            ),
            (many, "at most 8 forks"),
        ] {
            let refused = resolved(&forks).expect_err(said);
            assert!(refused.contains(said), "{refused}");
        }
    }

    /// Uniswap V2's pair of WETH and USDC on Base.
    #[test]
    fn pairs_are_where_their_hash_says() {
        let spec = ChainSpec::resolve("base", &ChainFile::default()).expect("built in");
        let uniswap: B256 = "0x96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f"
            .parse()
            .expect("a hash");
        assert_eq!(
            pair(spec.contracts.v2_factory, uniswap, spec.wrapped_native, spec.usdc),
            address!("0x88A43bbDF9D098eEC7bCEda4e2494615dfD9bB9C")
        );
    }
}
