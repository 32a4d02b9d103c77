//! What these tests begin with.

use alloy_primitives::{Address, Bytes, U256};
use lgi_mm::{devnet::BlockTime, domain::span::Span};
use serde_json::json;
use testkit::live::World;

/// Ends a statement, names a window, clears a screen, and reads backwards.
pub const HOSTILE: &str =
    "pwn\0d \u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[H\u{9b}31m\u{202e}KO lla\u{200b}\r\nOK all is well";

pub fn buys() -> serde_json::Value {
    json!({ "accumulate": { "dca_amount_usd": "10", "dca_interval": "1s", "max_accumulation_usd": "1000" } })
}

/// `Error(string)`, as a contract reverts with it.
pub fn error_of(text: &str) -> Vec<u8> {
    let mut data = vec![0x08, 0xc3, 0x79, 0xa0];
    data.extend(U256::from(32).to_be_bytes::<32>());
    data.extend(U256::from(text.len()).to_be_bytes::<32>());
    data.extend(text.as_bytes());
    data.resize(data.len().next_multiple_of(32) + 4, 0);
    data
}

/// Behaves as `original` on its own storage, but `approve` reverts with `text`.
pub fn speaking(original: Address, text: &str) -> Bytes {
    let data = error_of(text);
    let length = u16::try_from(data.len()).expect("a short text").to_be_bytes();
    let head: [&[u8]; 3] = [
        &[0x60, 0x00, 0x35, 0x60, 0xe0, 0x1c], // selector
        &[0x63, 0x09, 0x5e, 0xa7, 0xb3, 0x14], // == approve
        &[0x61, 0x00, 0x00, 0x57],             // then speak (place filled in below)
    ];
    let body: [&[u8]; 6] = [
        &[0x36, 0x60, 0x00, 0x60, 0x00, 0x37], // copy the call
        &[0x60, 0x00, 0x60, 0x00, 0x36, 0x60, 0x00, 0x73],
        original.as_slice(),
        &[0x5a, 0xf4, 0x3d, 0x60, 0x00, 0x60, 0x00, 0x3e], // delegatecall, copy the answer
        &[0x61, 0x00, 0x00, 0x57],                         // return if it went well (place filled in below)
        &[0x3d, 0x60, 0x00, 0xfd],                         // revert as it did
    ];
    let (head, body) = (head.concat(), body.concat());
    let ok = head.len() + body.len();
    let speak = ok + 5;
    let offset = u16::try_from(speak + 16).expect("a short code").to_be_bytes();
    let tail: [&[u8]; 9] = [
        &[0x5b, 0x3d, 0x60, 0x00, 0xf3],
        &[0x5b, 0x61],
        &length,
        &[0x61],
        &offset,
        &[0x60, 0x00, 0x39, 0x61], // copy the words
        &length,
        &[0x60, 0x00, 0xfd],
        &data,
    ];
    let mut code = [head.clone(), body, tail.concat()].concat();
    let place = |at: usize| u16::try_from(at).expect("a short code").to_be_bytes();
    code[head.len() - 3..head.len() - 1].copy_from_slice(&place(speak));
    code[ok - 4 - 3..ok - 4 - 1].copy_from_slice(&place(ok));
    code.into()
}

/// From now on `token` says `text` when it is to be approved.
pub async fn teach(world: &World, token: Address, text: &str) {
    let node = &world.devnet.node;
    let code: Result<Bytes, _> = node.request("eth_getCode", json!([token, "latest"])).await;
    let moved = Address::repeat_byte(0xee);
    node.set_code(moved, &code.expect("code")).await.expect("moved");
    node.set_code(token, &speaking(moved, text))
        .await
        .expect("taught");
}

pub fn every_second() -> BlockTime {
    BlockTime::Every(Span::from_secs(1))
}

/// Nothing that PostgreSQL refuses, a terminal obeys, or an eye misses; and no more than a few lines.
pub fn assert_clean(what: &str, text: &str) {
    for bad in ['\0', '\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\u{200b}', '\r'] {
        assert!(!text.contains(bad), "{what} has {bad:?}: {text:?}");
    }
}

pub async fn details(world: &World) -> Vec<String> {
    sqlx::query_scalar("SELECT detail FROM ticks WHERE detail IS NOT NULL")
        .fetch_all(&world.db.pool)
        .await
        .expect("details")
}
