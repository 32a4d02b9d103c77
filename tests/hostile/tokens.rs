//! Tokens that turn on their holders: another token's code on storage of their own, but for one function.

use alloy_primitives::{Address, Bytes, U256};
use lgi_mm::devnet::Devnet;

const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
const TRANSFER_FROM: [u8; 4] = [0x23, 0xb8, 0x72, 0xdd];
const DECIMALS: [u8; 4] = [0x31, 0x3c, 0xe5, 0x67];

/// What a token does differently.
#[derive(Debug, Clone, Copy)]
pub enum Trick {
    /// `transfer`, by which pools pay out, moves this many per cent less than asked.
    TaxedBuy(u8),
    /// `transferFrom`, by which routers take, moves this many per cent less than asked.
    TaxedSale(u8),
    /// `transferFrom` reverts above this number of base units.
    SmallSales(U256),
    /// `decimals` says something else.
    Decimals(u8),
    /// `transfer` by this address reverts: a pool that is on the token's black list.
    Blacklists(Address),
    /// None.
    Honest,
}

/// Where the honest code is kept.
fn model_of(token: Address) -> Address {
    let mut bytes = token.into_array();
    bytes[0] ^= 0xff;
    bytes.into()
}

/// From now on `token` does this.
pub async fn play(devnet: &Devnet, token: Address, trick: Trick) {
    let node = &devnet.node;
    let model = model_of(token);
    let code = |address: Address| async move {
        let asked = node.request::<Bytes>("eth_getCode", serde_json::json!([address, "latest"]));
        asked.await.expect("code")
    };
    if code(model).await.is_empty() {
        let honest = code(token).await;
        node.set_code(model, &honest).await.expect("a model");
    }
    node.set_code(token, &assemble(model, trick))
        .await
        .expect("a trick");
}

/// The code: copies the call to memory, does the trick if the selector is its own, and delegates to the model.
fn assemble(model: Address, trick: Trick) -> Bytes {
    let (selector, body) = special(trick);
    let mut code = vec![0x36, 0x60, 0x00, 0x60, 0x00, 0x37]; // copy the call
    code.extend([0x60, 0x00, 0x35, 0x60, 0xe0, 0x1c, 0x63]); // selector
    code.extend(selector);
    code.extend([0x14, 0x15]); // is it another?
    let jump = code.len() + 1;
    code.extend([0x60, 0x00, 0x57]); // then continue below
    code.extend(body);
    code[jump] = u8::try_from(code.len()).expect("a short code");
    code.push(0x5b);
    code.extend([0x60, 0x00, 0x60, 0x00, 0x36, 0x60, 0x00, 0x73]);
    code.extend(model.as_slice());
    code.extend([0x5a, 0xf4, 0x3d, 0x60, 0x00, 0x60, 0x00, 0x3e]); // delegatecall, copy the answer
    let jump = code.len() + 1;
    code.extend([0x60, 0x00, 0x57, 0x3d, 0x60, 0x00, 0xfd]); // revert as it did
    code[jump] = u8::try_from(code.len()).expect("a short code");
    code.extend([0x5b, 0x3d, 0x60, 0x00, 0xf3]); // or return
    code.into()
}

const REVERT: [u8; 5] = [0x60, 0x00, 0x60, 0x00, 0xfd];

fn special(trick: Trick) -> ([u8; 4], Vec<u8>) {
    match trick {
        Trick::Honest => ([0xff; 4], vec![]),
        Trick::TaxedBuy(percent) => (TRANSFER, less(0x24, percent)),
        Trick::TaxedSale(percent) => (TRANSFER_FROM, less(0x44, percent)),
        Trick::SmallSales(most) => {
            // PUSH32 most, amount, GT, ISZERO, skip the revert
            let mut body = vec![0x7f];
            body.extend(most.to_be_bytes::<32>());
            body.extend([0x60, 0x44, 0x51, 0x11, 0x15]);
            (TRANSFER_FROM, unless(body))
        }
        Trick::Decimals(digits) => (
            DECIMALS,
            vec![0x60, digits, 0x60, 0x00, 0x52, 0x60, 0x20, 0x60, 0x00, 0xf3],
        ),
        Trick::Blacklists(address) => {
            let mut body = vec![0x73];
            body.extend(address.as_slice());
            body.extend([0x33, 0x14, 0x15]);
            (TRANSFER, unless(body))
        }
    }
}

/// `memory[at] *= (100 - percent) / 100`
fn less(at: u8, percent: u8) -> Vec<u8> {
    vec![
        0x60,
        100,
        0x60,
        at,
        0x51,
        0x60,
        100 - percent,
        0x02,
        0x04,
        0x60,
        at,
        0x52,
    ]
}

/// Reverts unless `condition` leaves something other than zero. Jumps are relative to the program counter.
fn unless(mut condition: Vec<u8>) -> Vec<u8> {
    // PC is read after the condition; the target lies behind the revert: PC, PUSH1 n, ADD, JUMPI, revert, JUMPDEST.
    condition.extend([0x58, 0x60, 10, 0x01, 0x57]);
    condition.extend(REVERT);
    condition.push(0x5b);
    condition
}
