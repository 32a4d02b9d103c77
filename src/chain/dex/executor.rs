//! A few opcodes that run calls as a wallet, put at its address for one `eth_call`: trials on nodes without
//! `eth_simulateV1`. Nothing of it is ever sent to a chain. `executor.easm` is its source.

use alloy_primitives::{Address, Bytes, U256, hex};

use crate::domain::onchain::Call;

const WORD: usize = 32;

/// The assembled source.
const CODE: [u8; CODE_LEN] = hex!(
    "361560fd573330141560fd576020604052610200606052601c60ca565b606051526060516020016060525b366040"
    "51101560be576040516040013580604051606001606051608001375a608052600060008260605160800160405160"
    "200135604051355af15a608051036060516020015280606051526104003d106084576104006086565b3d5b806060"
    "51606001528060006060516080013e609e60ca565b60605160400152606051016080016060529060405101606001"
    "604052602a575b61020060605103610200f35b6000358060d657504790565b6370a0823160e01b60005230600452"
    "600060a052602060a060246000845afa505060a05190565b00"
);
const CODE_LEN: usize = 255;

/// What one call did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ran {
    pub(super) works: bool,
    /// Gas within the call, without what every transaction costs.
    pub(super) gas: u64,
    /// What the wallet's balance of the weighed token grew by.
    pub(super) brought: U256,
    /// Return data, or revert data.
    pub(super) returned: Bytes,
}

/// The code to put at the wallet's address.
pub(super) const fn code() -> Bytes {
    Bytes::from_static(&CODE)
}

/// The calldata that runs `calls` and weighs `token`; zero: the native coin.
pub(super) fn encode(token: Address, calls: &[Call]) -> Bytes {
    let mut data = token.into_word().to_vec();
    for call in calls {
        data.extend_from_slice(call.to.into_word().as_slice());
        data.extend_from_slice(&call.value.to_be_bytes::<WORD>());
        data.extend_from_slice(&U256::from(call.data.len()).to_be_bytes::<WORD>());
        data.extend_from_slice(&call.data);
    }
    data.into()
}

/// What ran: all of `count` calls, or those up to the first that failed. `None`: not this code's answer.
pub(super) fn decode(mut output: &[u8], count: usize) -> Option<Vec<Ran>> {
    let mut before = word(&mut output)?;
    let mut ran = Vec::with_capacity(count);
    while !output.is_empty() {
        let works = word(&mut output)? == U256::from(1);
        let gas = u64::try_from(word(&mut output)?).ok()?;
        let after = word(&mut output)?;
        let length = usize::try_from(word(&mut output)?).ok()?;
        let (returned, rest) = output.split_at_checked(length)?;
        output = rest;
        ran.push(Ran {
            works,
            gas,
            brought: after.saturating_sub(before),
            returned: Bytes::copy_from_slice(returned),
        });
        before = after;
    }
    let failed = ran.iter().position(|ran| !ran.works);
    let complete = match failed {
        Some(index) => ran.len() == index.saturating_add(1) && ran.len() <= count,
        None => ran.len() == count,
    };
    complete.then_some(ran)
}

fn word(output: &mut &[u8]) -> Option<U256> {
    let (word, rest) = output.split_at_checked(WORD)?;
    *output = rest;
    Some(U256::from_be_slice(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The operations that the source uses, with the numbers of the yellow paper.
    const OPERATIONS: [(&str, u8); 28] = [
        ("stop", 0x00),
        ("add", 0x01),
        ("sub", 0x03),
        ("lt", 0x10),
        ("eq", 0x14),
        ("iszero", 0x15),
        ("shl", 0x1b),
        ("address", 0x30),
        ("caller", 0x33),
        ("calldataload", 0x35),
        ("calldatasize", 0x36),
        ("calldatacopy", 0x37),
        ("returndatasize", 0x3d),
        ("returndatacopy", 0x3e),
        ("selfbalance", 0x47),
        ("pop", 0x50),
        ("mload", 0x51),
        ("mstore", 0x52),
        ("jump", 0x56),
        ("jumpi", 0x57),
        ("gas", 0x5a),
        ("dup1", 0x80),
        ("dup3", 0x82),
        ("dup5", 0x84),
        ("swap1", 0x90),
        ("call", 0xf1),
        ("return", 0xf3),
        ("staticcall", 0xfa),
    ];

    /// Words, labels, and jumps to labels of one byte.
    fn assemble(source: &str) -> Vec<u8> {
        let mut code: Vec<u8> = Vec::new();
        let (mut labels, mut jumps) = (std::collections::HashMap::new(), Vec::new());
        let words = source
            .lines()
            .flat_map(|line| line.split(';').next().unwrap_or_default().split_whitespace());
        for word in words {
            if let Some(label) = word.strip_suffix(':') {
                labels.insert(label, u8::try_from(code.len()).expect("a short program"));
                code.push(0x5b);
            } else if let Some(label) = word.strip_prefix('@') {
                code.extend([0x60, 0]);
                jumps.push((code.len() - 1, label));
            } else if word.starts_with("0x") {
                let number = hex::decode(word).expect("a number");
                code.push(0x5f + u8::try_from(number.len()).expect("a word"));
                code.extend(number);
            } else {
                let operation = OPERATIONS.iter().find(|(name, _)| *name == word);
                code.push(operation.unwrap_or_else(|| panic!("{word}?")).1);
            }
        }
        for (place, label) in jumps {
            code[place] = labels[label];
        }
        code
    }

    #[test]
    fn the_bytes_are_the_assembled_source() {
        assert_eq!(
            hex::encode(assemble(include_str!("executor.easm"))),
            hex::encode(CODE)
        );
    }

    #[test]
    fn an_answer_of_anything_else_is_not_understood() {
        let words = |numbers: &[u64]| -> Vec<u8> {
            let words = numbers
                .iter()
                .map(|number| U256::from(*number).to_be_bytes::<WORD>());
            words.flatten().collect()
        };
        let two = words(&[10, 1, 500, 4, 0, 1, 700, 9, 0]);
        let ran = decode(&two, 2).expect("two calls");
        assert_eq!(ran[0].brought, U256::ZERO, "less than before");
        assert_eq!((ran[1].brought, ran[1].gas), (U256::from(5), 700));
        assert_eq!(decode(&two, 3), None, "one did not run, and none failed");
        let failed = [words(&[10, 1, 500, 4, 0, 0, 700, 4, 2]), vec![0xab, 0xcd]].concat();
        let ran = decode(&failed, 3).expect("the second failed");
        assert_eq!((ran.len(), ran[1].works), (2, false));
        assert_eq!(ran[1].returned, Bytes::from_static(&[0xab, 0xcd]));
        for cut in [0, 1, 31, 33, failed.len() - 1] {
            assert_eq!(decode(&failed[..cut], 3), None, "{cut}");
        }
        assert_eq!(decode(&words(&[10, 0, 1, 1, 0, 1, 1, 1, 0]), 2), None, "ran on");
    }
}
