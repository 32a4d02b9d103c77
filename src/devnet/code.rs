//! Contracts of a few bytes that no package has: a price feed whose answer can be set, and a token that can be
//! bought and not sold.

use alloy_primitives::{Address, B256, Bytes, U256, uint};

/// Storage of a feed: its answer, and when it was updated (zero: just now).
pub(super) const FEED_ANSWER: U256 = U256::ZERO;
/// See [`FEED_ANSWER`].
pub(super) const FEED_UPDATED: U256 = uint!(1_U256);
/// Storage of the trap: whether `transferFrom` reverts.
pub(super) const TRAP_SHUT: U256 = uint!(0xdead_U256);

/// Answers every call as Chainlink's `latestRoundData()` does:
/// `(1, storage[0], t, t, 1)` where `t` is `storage[1]`, or the block's time if that is zero.
pub(super) fn feed() -> Bytes {
    let code: [&[u8]; 7] = [
        &[0x60, 1, 0x60, 0x00, 0x52],                   // memory[0x00] = 1
        &[0x60, 0, 0x54, 0x60, 0x20, 0x52],             // memory[0x20] = storage[0]
        &[0x60, 1, 0x54, 0x80, 0x15, 0x42, 0x02, 0x01], // t = storage[1] + (storage[1] == 0) * timestamp
        &[0x80, 0x60, 0x40, 0x52],                      // memory[0x40] = t
        &[0x60, 0x60, 0x52],                            // memory[0x60] = t
        &[0x60, 1, 0x60, 0x80, 0x52],                   // memory[0x80] = 1
        &[0x60, 0xa0, 0x60, 0x00, 0xf3],                // return memory[0x00..0xa0]
    ];
    code.concat().into()
}

/// Everything is `token`'s own code on storage of its own, but once shut, `transferFrom` reverts: routers can
/// still pay out, and can no longer take.
pub(super) fn trap(token: Address) -> Bytes {
    let head: [&[u8]; 4] = [
        &[0x60, 0, 0x35, 0x60, 0xe0, 0x1c],    // selector
        &[0x63, 0x23, 0xb8, 0x72, 0xdd, 0x14], // == transferFrom
        &[0x61, 0xde, 0xad, 0x54, 0x16],       // and storage[0xdead]
        &[0x60, 0x00, 0x57],                   // then revert (place filled in below)
    ];
    let body: [&[u8]; 7] = [
        &[0x36, 0x60, 0, 0x60, 0, 0x37], // copy the call
        &[0x60, 0, 0x60, 0, 0x36, 0x60, 0, 0x73],
        token.as_slice(),
        &[0x5a, 0xf4],                   // delegatecall token
        &[0x3d, 0x60, 0, 0x60, 0, 0x3e], // copy the answer
        &[0x60, 0x00, 0x57],             // return if it went well (place filled in below)
        &[0x3d, 0x60, 0, 0xfd],
    ];
    let tail: [&[u8]; 2] = [
        &[0x5b, 0x3d, 0x60, 0, 0xf3],    // return the answer
        &[0x5b, 0x60, 0, 0x60, 0, 0xfd], // revert with nothing
    ];
    let (head, body, tail) = (head.concat(), body.concat(), tail.concat());
    let done = head.len() + body.len();
    let mut code = [head.clone(), body, tail].concat();
    let place = |at: usize| u8::try_from(at).unwrap_or(u8::MAX);
    if let Some(jump) = code.get_mut(head.len() - 2) {
        *jump = place(done + 5);
    }
    if let Some(jump) = code.get_mut(done - 4 - 2) {
        *jump = place(done);
    }
    code.into()
}

/// A short text as Solidity stores it in one slot.
pub(super) fn short_text(text: &str) -> B256 {
    let mut slot = [0; 32];
    let bytes = text.as_bytes();
    let length = bytes.len().min(31);
    if let (Some(place), Some(from)) = (slot.get_mut(..length), bytes.get(..length)) {
        place.copy_from_slice(from);
    }
    slot[31] = u8::try_from(length * 2).unwrap_or_default();
    slot.into()
}
