//! What an L2 takes for each byte of calldata, to order routes by: asked once for some seconds, not for each route.

use alloy_primitives::{Address, U256, keccak256};

use crate::{
    chain::{
        contracts::GasPriceOracle,
        multicall::{Read, Reading, decode},
    },
    domain::onchain::Call,
};

/// Bytes of a transaction in addition to its calldata: numbers, addresses, signature; as an L2 counts them.
pub(super) const ENVELOPE: usize = 120;

/// Sizes of the two samples, bytes. Both are above the size that is charged at least, so that what lies between them is
/// charged by size alone.
const SAMPLES: [usize; 2] = [512, 1_536];

/// What [`SAMPLES`] differ by, quarters of a byte.
const QUARTERS: u64 = 4 * 1_024;

/// What the data of transactions costs more for each byte more. It only orders routes: what a trade pays is asked of
/// the oracle for its own calldata.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DataPrice {
    /// Wei for [`QUARTERS`].
    wei: U256,
}

impl DataPrice {
    /// The reads that tell it; none where the chain has no such oracle.
    pub(super) fn reads(oracle: Address) -> Vec<Read> {
        if oracle.is_zero() {
            return vec![];
        }
        let fee = |length| GasPriceOracle::getL1FeeCall {
            data: sample(length).into(),
        };
        SAMPLES.map(|length| Read::new(oracle, &fee(length))).into()
    }

    /// What the answers say; `None`: the chain has no oracle, or it does not answer.
    pub(super) fn understand(readings: &[Reading]) -> Option<Self> {
        let [small, large] = readings else { return None };
        let fee = |reading| decode::<GasPriceOracle::getL1FeeCall>(Some(reading));
        let wei = fee(large)?.checked_sub(fee(small)?)?;
        Some(Self { wei })
    }

    /// What the data of these calls costs about, wei, rounded up. A zero byte counts a quarter: that is what it costs
    /// where data is not compressed, and about what is left of it where it is.
    pub(super) fn of(self, calls: &[Call]) -> Option<U256> {
        let quarters = calls.iter().flat_map(|call| {
            let zeros = call.data.iter().filter(|byte| **byte == 0).count();
            let others = call.data.len().saturating_sub(zeros).saturating_add(ENVELOPE);
            [zeros, others.saturating_mul(4)]
        });
        let quarters = quarters.fold(0, usize::saturating_add);
        let product = self.wei.checked_mul(U256::from(quarters))?;
        Some(product.div_ceil(U256::from(QUARTERS)))
    }
}

/// Bytes that no chain can compress, and nearly none of them zero.
fn sample(length: usize) -> Vec<u8> {
    let words = (0..).map(|index: u64| keccak256(index.to_be_bytes()));
    words.flatten().take(length).collect()
}

#[cfg(test)]
mod tests {
    use alloy::sol_types::SolValue;
    use alloy_primitives::Bytes;

    use super::*;
    use crate::domain::trade::Purpose;

    fn call(data: Vec<u8>) -> Call {
        Call {
            purpose: Purpose::Swap,
            to: Address::repeat_byte(1),
            data: data.into(),
            value: U256::ZERO,
            gas_limit: 0,
        }
    }

    #[test]
    fn a_byte_costs_what_two_samples_differ_by_and_a_zero_a_quarter_of_it() {
        let said = |wei: u64| Ok(Bytes::from(U256::from(wei).abi_encode()));
        let of = |one, other| DataPrice::understand(&[said(one), said(other)]);
        // 4096 wei for 1024 bytes: one for a quarter, whatever each transaction costs at least.
        let price = of(1_000_000, 1_004_096).expect("a price");
        let envelope = 4 * 120;
        for (calls, wei) in [
            (vec![], 0),
            (vec![call(vec![])], envelope),
            (vec![call(vec![1; 10])], envelope + 40),
            (vec![call(vec![0; 10])], envelope + 10),
            (vec![call(vec![0, 1]), call(vec![])], 2 * envelope + 5),
        ] {
            assert_eq!(price.of(&calls), Some(U256::from(wei)), "{calls:?}");
        }
        let less = of(0, 1).expect("a price");
        assert_eq!(less.of(&[call(vec![])]), Some(U256::from(1)), "rounded up");
        assert!(of(2, 1).is_none(), "nonsense");
        assert!(DataPrice::understand(&[]).is_none());
        assert!(DataPrice::reads(Address::ZERO).is_empty());
        let zeros = sample(1_536).iter().filter(|byte| **byte == 0).count();
        assert!(zeros < 16, "{zeros}");
    }
}
