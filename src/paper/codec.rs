//! The venue's encodings: calldata of a swap, and the canonical encoding of a transaction.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use chrono::DateTime;
use serde::{Deserialize, Serialize};

use crate::domain::{
    Timestamp,
    onchain::{Call, Fees, SignedTransaction},
    units::Amount,
};

const SWAP_SIGNATURE: &str = "swap(address,address,uint256,uint256,uint256,uint256)";
const WORD: usize = 32;
const SELECTOR: usize = 4;

/// The contract of all paper swaps; its reserves of every token are unlimited.
#[must_use]
pub fn pool_address() -> Address {
    Address::from_word(keccak256("lgi-mm paper pool"))
}

/// The decoded calldata of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Swap {
    pub(super) token_in: Address,
    pub(super) token_out: Address,
    pub(super) amount_in: Amount,
    /// Output of the pool.
    pub(super) amount_out: Amount,
    /// Minimum output.
    pub(super) amount_out_min: Amount,
    /// The last block time at which it may execute, whole milliseconds.
    pub(super) deadline: Timestamp,
}

impl Swap {
    /// A selector and six words, as a contract would take them; the deadline in milliseconds.
    pub(super) fn encode(&self) -> Bytes {
        let deadline = u64::try_from(self.deadline.timestamp_millis()).unwrap_or(0);
        let words = [
            self.token_in.into_word(),
            self.token_out.into_word(),
            self.amount_in.units().into(),
            self.amount_out.units().into(),
            self.amount_out_min.units().into(),
            U256::from(deadline).into(),
        ];
        let mut data = keccak256(SWAP_SIGNATURE)[..SELECTOR].to_vec();
        data.extend(words.iter().flat_map(B256::as_slice));
        data.into()
    }

    /// Reads what [`Self::encode`] writes; `None` for anything else.
    pub(super) fn decode(data: &[u8]) -> Option<Self> {
        let words = data.strip_prefix(&keccak256(SWAP_SIGNATURE)[..SELECTOR])?;
        let (words, []) = words.as_chunks::<WORD>() else {
            return None;
        };
        let [
            token_in,
            token_out,
            amount_in,
            amount_out,
            amount_out_min,
            deadline,
        ] = <[_; 6]>::try_from(words).ok()?;
        let address = |word: [u8; WORD]| {
            let address = Address::from_word(word.into());
            (address.into_word() == B256::from(word)).then_some(address)
        };
        let amount = |word| Amount::new(U256::from_be_bytes(word));
        let millis = i64::try_from(U256::from_be_bytes(deadline)).ok()?;
        Some(Self {
            token_in: address(token_in)?,
            token_out: address(token_out)?,
            amount_in: amount(amount_in),
            amount_out: amount(amount_out),
            amount_out_min: amount(amount_out_min),
            deadline: DateTime::from_timestamp_millis(millis)?,
        })
    }
}

/// Everything that a paper signature covers, in byte order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envelope {
    pub(super) chain: String,
    pub(super) sender: Address,
    pub(super) nonce: u64,
    pub(super) to: Address,
    pub(super) data: Bytes,
    pub(super) value: U256,
    pub(super) gas_limit: u64,
    #[serde(with = "decimal_text")]
    pub(super) max_fee_per_gas: u128,
    #[serde(with = "decimal_text")]
    pub(super) max_priority_fee_per_gas: u128,
}

impl Envelope {
    /// What `sender` signs for `call`.
    pub(super) fn new(chain: &str, sender: Address, nonce: u64, call: &Call, fees: Fees) -> Self {
        Self {
            chain: chain.to_owned(),
            sender,
            nonce,
            to: call.to,
            data: call.data.clone(),
            value: call.value,
            gas_limit: call.gas_limit,
            max_fee_per_gas: fees.max_fee_per_gas,
            max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
        }
    }

    /// Its bytes and their hash, deterministic.
    pub(super) fn encode(&self) -> serde_json::Result<SignedTransaction> {
        let raw = serde_json::to_vec(self)?;
        Ok(SignedTransaction {
            hash: keccak256(&raw),
            raw: raw.into(),
        })
    }

    /// Reads bytes that are exactly what [`Self::encode`] writes, so that one transaction has one hash.
    pub(super) fn decode(raw: &[u8]) -> Option<(Self, B256)> {
        let envelope: Self = serde_json::from_slice(raw).ok()?;
        let signed = envelope.encode().ok()?;
        (*signed.raw == *raw).then_some((envelope, signed.hash))
    }
}

/// 128 bits do not survive every JSON reader as a number.
mod decimal_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swap() -> Swap {
        Swap {
            token_in: Address::repeat_byte(1),
            token_out: Address::repeat_byte(2),
            amount_in: Amount::new(U256::from(5)),
            amount_out: Amount::new(U256::MAX),
            amount_out_min: Amount::ZERO,
            deadline: DateTime::from_timestamp_millis(1_800_000_000_123).expect("in range"),
        }
    }

    fn envelope() -> Envelope {
        Envelope {
            chain: "base".into(),
            sender: Address::repeat_byte(3),
            nonce: 7,
            to: pool_address(),
            data: swap().encode(),
            value: U256::ZERO,
            gas_limit: 150_000,
            max_fee_per_gas: u128::MAX,
            max_priority_fee_per_gas: 1,
        }
    }

    #[test]
    fn a_swap_reads_back_from_its_calldata() {
        assert_eq!(Swap::decode(&swap().encode()), Some(swap()));
    }

    #[test]
    fn calldata_of_another_shape_is_no_swap() {
        let whole = swap().encode();
        let mut longer = whole.to_vec();
        longer.push(0);
        let mut dirty_address = whole.to_vec();
        dirty_address[SELECTOR] = 1;
        for data in [
            &whole[1..],
            &whole[..whole.len() - 1],
            &longer,
            &dirty_address,
            &[],
        ] {
            assert_eq!(Swap::decode(data), None);
        }
    }

    #[test]
    fn a_transaction_reads_back_from_its_bytes_with_its_hash() {
        let signed = envelope().encode().expect("encodes");
        assert_eq!(Envelope::decode(&signed.raw), Some((envelope(), signed.hash)));
    }

    #[test]
    fn other_bytes_for_the_same_transaction_are_refused() {
        let raw = envelope().encode().expect("encodes").raw;
        let text = String::from_utf8(raw.to_vec()).expect("JSON");
        for other in [
            text.replace(':', ": "),
            text.replace("base", "\\u0062ase"),
            text.replace("\"nonce\":7", "\"nonce\":7,\"nonce\":7"),
            format!("{text} "),
        ] {
            assert_eq!(Envelope::decode(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn whatever_differs_in_a_transaction_differs_in_its_hash() {
        let hash = |change: fn(&mut Envelope)| {
            let mut envelope = envelope();
            change(&mut envelope);
            envelope.encode().expect("encodes").hash
        };
        let hashes = std::collections::HashSet::from([
            hash(|_| ()),
            hash(|envelope| envelope.chain = "ethereum".into()),
            hash(|envelope| envelope.sender = Address::ZERO),
            hash(|envelope| envelope.nonce = 8),
            hash(|envelope| envelope.to = Address::ZERO),
            hash(|envelope| envelope.data = Bytes::new()),
            hash(|envelope| envelope.value = U256::ONE),
            hash(|envelope| envelope.gas_limit = 1),
            hash(|envelope| envelope.max_fee_per_gas = 2),
            hash(|envelope| envelope.max_priority_fee_per_gas = 2),
        ]);
        assert_eq!(hashes.len(), 10);
    }
}
