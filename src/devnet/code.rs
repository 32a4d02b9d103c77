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

/// What makes PancakeSwap's pools: `deploy(factory, a, b, fee, spacing)` keeps its arguments and creates a pool, which
/// reads them back with `parameters()`, the one call without arguments.
pub(super) fn pool_deployer(pool: &[u8]) -> Bytes {
    let [_, _, high, low] = u32::try_from(pool.len()).unwrap_or_default().to_be_bytes();
    let keep = |word: u8| [0x60, 4 + 32 * word, 0x35, 0x60, word, 0x55];
    let tell = |word: u8| [0x60, word, 0x54, 0x60, 32 * word, 0x52];
    let kept: Vec<u8> = (0..5).flat_map(keep).collect();
    let told: Vec<u8> = (0..5).flat_map(tell).collect();
    let parts: [&[u8]; 9] = [
        &[0x36, 0x60, 5, 0x11, 0x60, 0, 0x57], // fewer than five bytes: tell (place filled in below)
        &kept,
        &[0x60, 0x60, 0x60, 0x24, 0x60, 0, 0x37, 0x60, 0x60, 0x60, 0, 0x20], // salt: hash of a, b and fee
        &[0x61, high, low, 0x60, 0, 0x60, 0, 0x39],                          // the pool's code (place below)
        &[0x61, high, low, 0x60, 0, 0x60, 0, 0xf5],                          // create2
        &[0x60, 0, 0x52, 0x60, 0x20, 0x60, 0, 0xf3],                         // its address
        &[0x5b],
        &told,
        &[0x60, 0xa0, 0x60, 0, 0xf3],
    ];
    let mut code = parts.concat();
    let start = |part: usize| parts.iter().take(part).map(|part| part.len()).sum::<usize>();
    let place = |at: usize| u8::try_from(at).unwrap_or(u8::MAX);
    let (tell, end) = (place(start(6)), place(code.len()));
    for (at, value) in [(5, tell), (start(3) + 4, end)] {
        if let Some(byte) = code.get_mut(at) {
            *byte = value;
        }
    }
    code.extend_from_slice(pool);
    code.into()
}

/// Everything is `inner`'s own code, with other names for some of its functions, the first of each pair outside.
/// `deployer()` is answered here.
pub(super) fn renamed(inner: Address, deployer: Address, names: &[([u8; 4], [u8; 4])]) -> Bytes {
    let mut code = vec![0x36, 0x60, 0, 0x60, 0, 0x37]; // copy the call
    // deployer(): the selector, compared, then a jump over the answer.
    code.extend([
        0x60, 0, 0x35, 0x60, 0xe0, 0x1c, 0x63, 0xd5, 0xf3, 0x94, 0x88, 0x18, 0x61,
    ]);
    let over = u16::try_from(code.len() + 3 + 29).unwrap_or_default();
    code.extend(over.to_be_bytes());
    code.push(0x57);
    code.push(0x73);
    code.extend(deployer.as_slice());
    code.extend([0x60, 0, 0x52, 0x60, 0x20, 0x60, 0, 0xf3]);
    code.push(0x5b);
    for (outside, inside) in names {
        code.extend([0x60, 0, 0x35, 0x60, 0xe0, 0x1c, 0x63]);
        code.extend(outside);
        code.extend([0x18, 0x61]);
        // Four bytes of the call are written: five bytes of code for each.
        let over = u16::try_from(code.len() + 3 + 20).unwrap_or_default();
        code.extend(over.to_be_bytes());
        code.push(0x57);
        for (at, byte) in (0..).zip(inside) {
            code.extend([0x60, *byte, 0x60, at, 0x53]);
        }
        code.push(0x5b);
    }
    code.extend([0x60, 0, 0x60, 0, 0x36, 0x60, 0, 0x73]);
    code.extend(inner.as_slice());
    code.extend([0x5a, 0xf4, 0x3d, 0x60, 0, 0x60, 0, 0x3e, 0x61]);
    let good = u16::try_from(code.len() + 3 + 4).unwrap_or_default();
    code.extend(good.to_be_bytes());
    code.extend([0x57, 0x3d, 0x60, 0, 0xfd, 0x5b, 0x3d, 0x60, 0, 0xf3]);
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

/// `code` with every `from` replaced; both are of the same length.
pub(super) fn replaced(code: &[u8], from: &[u8], to: &[u8]) -> Bytes {
    let mut bytes = code.to_vec();
    for at in 0..bytes.len().saturating_sub(from.len()) {
        if let Some(place) = bytes.get_mut(at..at + from.len())
            && place == from
        {
            place.copy_from_slice(to);
        }
    }
    bytes.into()
}
