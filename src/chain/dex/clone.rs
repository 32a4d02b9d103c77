//! Contracts that are clones of others (EIP-1167): where a factory puts them.

use alloy_primitives::{Address, B256, hex, keccak256};

/// Around the address of the code that a clone runs.
const CLONE: ([u8; 20], [u8; 15]) = (
    hex!("3d602d80600a3d3981f3363d3d373d3d3d363d73"),
    hex!("5af43d82803e903d91602b57fd5bf3"),
);

/// The clone of `code` that `factory` makes with `salt`.
pub(super) fn clone_of(code: Address, factory: Address, salt: B256) -> Address {
    let clone = [&CLONE.0[..], code.as_slice(), &CLONE.1].concat();
    factory.create2(salt, keccak256(clone))
}
