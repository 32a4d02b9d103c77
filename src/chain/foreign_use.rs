//! Finds the transaction that used a nonce, from one node: positive evidence, read from the block itself.

use alloy_primitives::{Address, U64};
use serde_json::{Value, json};

use super::{
    receipts::{RawBlock, RawTransaction},
    voice::Voice,
};
use crate::{domain::onchain::NonceUse, ports::RpcError};

/// The transaction of `signer` that used `nonce`; `None`: this node has none, or cannot find its block.
pub(super) async fn used_by(
    voice: &Voice,
    signer: Address,
    nonce: u64,
) -> Result<Option<NonceUse>, RpcError> {
    let Some(number) = block_of(voice, signer, nonce).await? else {
        return Ok(None);
    };
    let params = json!([U64::from(number), true]);
    let block: Option<Value> = voice.request("eth_getBlockByNumber", params).await?;
    let Some(block) = block else { return Ok(None) };
    let head: RawBlock = voice.read("eth_getBlockByNumber", Ok(block.clone()))?;
    let transactions = block.get("transactions").and_then(Value::as_array);
    let used = transactions.into_iter().flatten().find_map(|transaction| {
        // A chain's special transaction types may have other fields.
        let transaction: RawTransaction = serde_json::from_value(transaction.clone()).ok()?;
        let ours = transaction.from == signer && transaction.nonce == U64::from(nonce);
        ours.then_some(transaction.hash)
    });
    Ok(used.map(|hash| NonceUse {
        hash,
        block_number: number,
        block_hash: head.hash,
    }))
}

async fn count_at(voice: &Voice, signer: Address, block: u64) -> Result<u64, RpcError> {
    let count: U64 = voice
        .request("eth_getTransactionCount", json!([signer, U64::from(block)]))
        .await?;
    Ok(count.to())
}

/// The block that holds the transaction with this nonce: the first one with a higher count.
async fn block_of(voice: &Voice, signer: Address, nonce: u64) -> Result<Option<u64>, RpcError> {
    let newest: U64 = voice.request("eth_blockNumber", json!([])).await?;
    let newest: u64 = newest.to();
    if count_at(voice, signer, newest).await? <= nonce {
        return Ok(None);
    }
    // Most are recent, and old state is not available everywhere: first step back in doubling strides.
    let (mut above, mut stride) = (newest, 1_u64);
    let mut below = loop {
        let candidate = above.saturating_sub(stride);
        if candidate == 0 || count_at(voice, signer, candidate).await? <= nonce {
            break candidate;
        }
        above = candidate;
        stride = stride.saturating_mul(2);
    };
    while above.saturating_sub(below) > 1 {
        let middle = below + (above - below) / 2;
        if count_at(voice, signer, middle).await? <= nonce {
            below = middle;
        } else {
            above = middle;
        }
    }
    Ok(Some(above))
}
