//! Pools that factories make: with which tokens, and in which block. The pools themselves are found by their addresses;
//! what is learnt here is how old they are.

use alloy::sol_types::SolEvent;
use alloy_primitives::{Address, B256, Bytes};

use crate::{
    chain::{
        contracts::{AerodromeFactory, SlipstreamFactory, V2Factory, V3Factory},
        settings::ChainSpec,
    },
    domain::pool::{Curve, Slipstream},
    store::v4_pools::{FoundBy, V4Pool},
};

/// The events of all of them.
pub(super) const SIGNATURES: [B256; 4] = [
    V2Factory::PairCreated::SIGNATURE_HASH,
    V3Factory::PoolCreated::SIGNATURE_HASH,
    SlipstreamFactory::PoolCreated::SIGNATURE_HASH,
    AerodromeFactory::PoolCreated::SIGNATURE_HASH,
];

/// The factories that the chain has.
pub(super) fn of(spec: &ChainSpec) -> Vec<Address> {
    let at = &spec.contracts;
    let own = [
        at.v2_factory,
        at.v3_factory,
        at.pancake_v3_factory,
        at.slipstream_factory,
        at.slipstream_caps_factory,
        at.slipstream_v3_factory,
        at.aerodrome_factory,
    ];
    let forks = spec.v2_forks.iter().map(|fork| fork.factory);
    own.into_iter()
        .chain(forks)
        .filter(|factory| !factory.is_zero())
        .collect()
}

/// The pool that a factory's log tells of, if it trades against what jobs pay with or a connector; `None`: another log.
pub(super) fn understand(spec: &ChainSpec, from: Address, topics: &[B256], data: &Bytes) -> Option<V4Pool> {
    let at = &spec.contracts;
    let raw = || topics.iter().copied();
    let (name, currencies, pool) = if let Ok(event) = V2Factory::PairCreated::decode_raw_log(raw(), data) {
        let fork = spec.v2_forks.iter().find(|fork| fork.factory == from);
        let name = match fork {
            Some(fork) => format!("v2:{}", fork.name),
            None if from == at.v2_factory => "v2".to_owned(),
            None => return None,
        };
        (name, (event.token0, event.token1), event.pair)
    } else if let Ok(event) = V3Factory::PoolCreated::decode_raw_log(raw(), data) {
        let name = [(at.v3_factory, "v3"), (at.pancake_v3_factory, "pancake")];
        let (_, name) = name.into_iter().find(|(factory, _)| *factory == from)?;
        (
            format!("{name}:{}", event.fee),
            (event.token0, event.token1),
            event.pool,
        )
    } else if let Ok(event) = SlipstreamFactory::PoolCreated::decode_raw_log(raw(), data) {
        let which = [
            (at.slipstream_factory, Slipstream::Initial),
            (at.slipstream_caps_factory, Slipstream::Caps),
            (at.slipstream_v3_factory, Slipstream::V3),
        ];
        let (_, which) = which.into_iter().find(|(factory, _)| *factory == from)?;
        let name = format!("{}:{}", which.prefix(), event.tickSpacing);
        (name, (event.token0, event.token1), event.pool)
    } else {
        let event = AerodromeFactory::PoolCreated::decode_raw_log(raw(), data).ok()?;
        if from != at.aerodrome_factory {
            return None;
        }
        let curve = if event.stable {
            Curve::Stable
        } else {
            Curve::Volatile
        };
        (
            format!("aerodrome:{curve}"),
            (event.token0, event.token1),
            event.pool,
        )
    };
    // Anyone can make pools against tokens of his own, as many as he likes.
    let known = |token: Address| {
        token == spec.wrapped_native || token == spec.usdc || spec.connectors.contains(&token)
    };
    (known(currencies.0) || known(currencies.1)).then_some(V4Pool {
        id: pool.into_word(),
        pool: name.parse().ok()?,
        currencies,
        created_at: None,
        found_by: FoundBy::Factory,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As explorers show them.
    #[test]
    fn the_events_are_those_of_the_chain() {
        let [v2, v3, slipstream, aerodrome] = SIGNATURES.map(|signature| signature.to_string());
        assert!(v2.starts_with("0x0d3648bd"), "{v2}");
        assert!(v3.starts_with("0x783cca1c"), "{v3}");
        assert!(
            slipstream.starts_with("0xab0d57f0") && slipstream.ends_with("9ac2"),
            "{slipstream}"
        );
        assert!(
            aerodrome.starts_with("0x2128d88d") && aerodrome.ends_with("005e"),
            "{aerodrome}"
        );
    }
}
