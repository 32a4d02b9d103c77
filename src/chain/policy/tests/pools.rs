//! Every kind of pool that our venue trades in.

use alloy_primitives::Address;

use super::{TOKEN, fork, spec};
use crate::domain::pool::{Curve, Hop, MixedPath, NATIVE, Pool, PoolKey, Slipstream};

pub(super) fn pools() -> Vec<Pool> {
    let spec = spec();
    let key = |one: Address, other: Address| {
        Pool::V4(PoolKey {
            currency0: one.min(other),
            currency1: one.max(other),
            fee: 3_000,
            tick_spacing: 60,
            hooks: Address::ZERO,
        })
    };
    let mixed =
        |hops: &[Hop], through: &[Address]| Pool::Mixed(MixedPath::new(hops, through).expect("a route"));
    let hop = |one: Address, other: Address| match key(one, other) {
        Pool::V4(key) => Hop::V4(key),
        other => panic!("{other}"),
    };
    let (near, far) = (Address::repeat_byte(0x31), Address::repeat_byte(0x32));
    let weth = spec.wrapped_native;
    vec![
        key(NATIVE, TOKEN),
        key(spec.wrapped_native, TOKEN),
        Pool::V3(3_000),
        Pool::V3Hops(500, 3_000),
        Pool::V2,
        Pool::V2Fork(fork()),
        Pool::Pancake(2_500),
        Pool::PancakeHops(2_500, 500),
        Pool::Slipstream(Slipstream::Initial, 200),
        Pool::Slipstream(Slipstream::Caps, 200),
        Pool::Slipstream(Slipstream::V3, 50),
        Pool::SlipstreamHops(Slipstream::V3, 200, 50),
        Pool::Aerodrome(Curve::Volatile),
        Pool::Aerodrome(Curve::Stable),
        Pool::AerodromeHops(Curve::Volatile, Curve::Stable),
        mixed(&[Hop::V2, Hop::V3(500)], &[near]),
        mixed(&[Hop::V3(500), hop(near, weth)], &[near]),
        mixed(&[hop(TOKEN, near), hop(near, NATIVE)], &[near]),
        mixed(&[hop(TOKEN, near), Hop::V2, Hop::V3(100)], &[near, far]),
        mixed(&[Hop::V3(100), hop(near, far), Hop::V2], &[near, far]),
        mixed(&[hop(TOKEN, NATIVE), Hop::V3(500)], &[weth]),
        mixed(&[Hop::V2, hop(NATIVE, spec.usdc)], &[weth]),
        mixed(&[hop(TOKEN, NATIVE), hop(weth, far), Hop::V2], &[weth, far]),
    ]
}
