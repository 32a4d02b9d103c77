//! What a unit of gas costs: the block's base fee, and a tip from whichever method a node has.

use alloy_primitives::{U64, U128};
use serde::Deserialize;
use serde_json::{Value, json};

use super::state::EvmChain;
use crate::{
    chain::{error::CallError, receipts::RawBlock, rpc::Rpc},
    domain::onchain::Fees,
    ports::RpcError,
};

/// The node's own suggestion of a tip; several kinds of nodes have no such method.
const SUGGESTION: &str = "eth_maxPriorityFeePerGas";

/// Blocks whose tips are looked at where a node suggests none.
const HISTORY_BLOCKS: u64 = 10;
/// Of the gas of each of these blocks, the tip that half of it paid at most, percent.
const HISTORY_PERCENTILE: u32 = 50;

/// A tip of this multiple of the base fee is mined on every chain.
const TIP_BASE_FEES: u128 = 10;
/// A tip below this share of the chain's maximum is paid however low the base fee is.
const TIP_SHARE: u128 = 10;

/// `eth_feeHistory`: the tips that blocks were paid.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FeeHistory {
    #[serde(default)]
    gas_used_ratio: Vec<Value>,
    reward: Option<Vec<Vec<U128>>>,
}

impl FeeHistory {
    /// The median tip of the blocks that were not empty; `None` if all were.
    fn tip(&self) -> Option<u128> {
        let rewards = self.reward.as_ref()?.iter().enumerate();
        let is_empty = |index: usize| {
            let ratio = self.gas_used_ratio.get(index);
            ratio.and_then(Value::as_f64).is_some_and(|ratio| ratio == 0.0)
        };
        let mut tips: Vec<u128> = rewards
            .filter(|(index, _)| !is_empty(*index))
            .filter_map(|(_, block)| block.first().map(U128::to))
            .collect();
        tips.sort_unstable();
        tips.get(tips.len() / 2).copied()
    }
}

/// The suggested tip, limited to the higher of ten base fees and a tenth of the chain's maximum, and never above that
/// maximum; wei per unit of gas.
fn tip_within(asked: u128, base: u128, most: u128) -> u128 {
    let usual = base.saturating_mul(TIP_BASE_FEES).max(most / TIP_SHARE);
    asked.min(usual).min(most)
}

/// The tip of recent blocks, else what the node's gas price leaves above the base fee, else none: the chain's least tip
/// is paid then.
async fn tip_seen(rpc: &Rpc, base: u128) -> u128 {
    let asked = json!([U64::from(HISTORY_BLOCKS), "latest", [HISTORY_PERCENTILE]]);
    let history: Result<FeeHistory, CallError> = rpc.request("eth_feeHistory", asked).await;
    if let Some(tip) = history.ok().and_then(|history| history.tip()) {
        return tip;
    }
    let price: Result<U128, CallError> = rpc.request("eth_gasPrice", json!([])).await;
    price.map_or(0, |price| price.to::<u128>().saturating_sub(base))
}

impl EvmChain {
    /// Twice the base fee, so that several blocks of rising fees are outbid, as far as the chain's cap allows. A chain
    /// that asks for more than the cap is returned unchanged; the caller must refuse to sign.
    pub(super) async fn ask_fees(&self) -> Result<Fees, RpcError> {
        let mut requests = vec![("eth_getBlockByNumber", json!(["latest", false]))];
        if !self.rpc.all_lack(SUGGESTION) {
            requests.push((SUGGESTION, json!([])));
        }
        let mut answers = self.rpc.batch(&requests).await?.into_iter();
        let block: RawBlock = self.read("eth_getBlockByNumber", answers.next().unwrap_or(Ok(Value::Null)))?;
        let base = block
            .base_fee_per_gas
            .ok_or_else(|| self.nonsense("eth_getBlockByNumber", "no base fee: EIP-1559 is required"))?;
        let base = base.to::<u128>();
        let tip = match answers.next() {
            Some(Ok(tip)) => self.read::<U128>(SUGGESTION, Ok(tip))?.to(),
            Some(Err(_)) | None => tip_seen(&self.rpc, base).await,
        };
        let tip = tip_within(tip, base, self.spec.max_tip_per_gas).max(self.spec.min_tip_per_gas);
        let asked = base.saturating_add(tip);
        Ok(Fees {
            max_fee_per_gas: asked
                .saturating_add(base)
                .min(self.spec.max_fee_per_gas)
                .max(asked),
            max_priority_fee_per_gas: tip,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tip_is_bound_by_the_base_fee_and_by_the_chain() {
        let gwei = |tenths: u128| tenths * 100_000_000;
        for (asked, base, most, paid) in [
            // Typical: 1 gwei on Ethereum, a fraction on an L2.
            (gwei(10), gwei(5), gwei(50), gwei(10)),
            (1_000_000, 5_000_000, gwei(10), 1_000_000),
            // A false 45 gwei on an L2: limited to a tenth of a gwei or ten base fees, and never above one gwei.
            (gwei(450), 5_000_000, gwei(10), gwei(1)),
            (gwei(450), 50_000_000, gwei(10), gwei(5)),
            (gwei(450), gwei(30), gwei(10), gwei(10)),
            (u128::MAX, u128::MAX, gwei(10), gwei(10)),
        ] {
            assert_eq!(tip_within(asked, base, most), paid, "{asked} {base} {most}");
        }
    }

    #[test]
    fn the_tip_of_a_history_is_the_median_of_blocks_that_were_not_empty() {
        for (history, tip) in [
            (
                json!({ "reward": [["0x5"], ["0x0"], ["0x9"], ["0x7"]], "gasUsedRatio": [0.4, 0.0, 0.9, 1] }),
                Some(7),
            ),
            (json!({ "reward": [["0x3"]] }), Some(3)),
            (
                json!({ "reward": [["0x0"], ["0x0"]], "gasUsedRatio": [0, 0.0] }),
                None,
            ),
            (json!({ "reward": null, "gasUsedRatio": [0.5] }), None),
            (json!({ "oldestBlock": "0x1" }), None),
        ] {
            let read: FeeHistory = serde_json::from_value(history.clone()).expect("a history");
            assert_eq!(read.tip(), tip, "{history}");
        }
    }
}
