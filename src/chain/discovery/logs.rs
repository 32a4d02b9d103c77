//! The logs of new pools of one token, the pool manager's and young ones of factories, over ranges of blocks that the
//! provider allows.

use std::collections::{BTreeMap, BTreeSet};

use alloy::sol_types::SolEvent;
use alloy_primitives::{Address, B256, Bytes, U64};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    factories,
    proof::proven,
    ranges::{fewer, is_too_often},
};
use crate::{
    chain::{
        contracts::{V4PoolKey, V4PoolManager},
        receipts::RawBlock,
        rpc::Rpc,
        settings::ChainSpec,
    },
    domain::Timestamp,
    store::v4_pools::{FoundBy, V4Pool},
};

/// Newest blocks that are read again next time: they may still be reorged out.
pub(super) const UNSETTLED: u64 = 64;
/// A pool in a block older than this many is not young, whatever the chain's pace.
const RECENT: u64 = 50_000;
/// Blocks whose time is asked for at once, and of one search.
const TIMES_AT_ONCE: usize = 20;
const TIMES_MAX: usize = 200;

/// A search through logs.
pub(super) struct Scan<'a> {
    pub(super) rpc: &'a Rpc,
    pub(super) spec: &'a ChainSpec,
    pub(super) token: Address,
    /// Requests that may be used.
    pub(super) requests: u32,
    /// Blocks that one request may cover; zero: any.
    pub(super) span: u64,
}

/// What a search found.
pub(super) struct Progress {
    pub(super) found: Vec<V4Pool>,
    /// The next block to read; `None`: no log could be read.
    pub(super) next_block: Option<u64>,
    pub(super) head: u64,
    pub(super) span: u64,
    /// Why it stopped early.
    pub(super) problem: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLog {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
    block_number: Option<U64>,
    #[serde(default)]
    removed: bool,
}

/// A pool and the block it was created in.
type Created = (V4Pool, Option<u64>);

impl Scan<'_> {
    /// Reads on from block `from`; `None`: from the beginning.
    ///
    /// # Errors
    /// The node does not name its newest block.
    pub(super) async fn run(mut self, from: Option<u64>) -> Result<Progress, String> {
        let head = self.rpc.request::<U64>("eth_blockNumber", json!([])).await;
        let head: u64 = head.map_err(|error| error.to_string())?.to();
        let mut progress = Progress {
            found: Vec::new(),
            next_block: from,
            head,
            span: self.span,
            problem: None,
        };
        let first = from.unwrap_or_else(|| self.spec.v4_first_block.min(head));
        let mut begun = from.is_some() || self.span != 0;
        if from.is_none() && begun {
            progress.next_block = Some(self.creation(first, head).await);
        }
        let mut created: Vec<Created> = Vec::new();
        // The smallest range that was refused, so that growing does not run into it again and again.
        let mut refused = u64::MAX;
        loop {
            let next = progress.next_block.unwrap_or(first);
            if next > head || self.requests == 0 {
                break;
            }
            let span = match progress.span {
                0 => head.saturating_sub(next).saturating_add(1),
                span => span,
            };
            let to = next.saturating_add(span).saturating_sub(1).min(head);
            match self.read((next, to), head).await {
                Ok(found) => {
                    created.extend(found);
                    progress.next_block = Some(to.saturating_add(1));
                    if progress.span != 0 && progress.span.saturating_mul(2) < refused {
                        progress.span = progress.span.saturating_mul(2);
                    }
                }
                Err(said) if is_too_often(&said) => {
                    progress.problem = Some(said);
                    break;
                }
                Err(said) => {
                    let asked = to.saturating_sub(next).saturating_add(1);
                    refused = refused.min(asked);
                    let Some(less) = fewer(asked, &said) else {
                        progress.problem = Some(said);
                        break;
                    };
                    progress.span = less;
                    if !begun {
                        // Not all at once: then not the years before the token was there.
                        progress.next_block = Some(self.creation(first, head).await);
                    }
                    begun = true;
                }
            }
        }
        let times = match self.times(&created, head).await {
            Ok(times) => times,
            // An age that is not known is no age. What is not dated is read again.
            Err((undated, said)) => {
                created.retain(|(_, block)| block.is_none_or(|block| block < undated));
                let next = progress.next_block.unwrap_or(first);
                progress.next_block = Some(next.min(undated));
                progress.problem = Some(said);
                BTreeMap::new()
            }
        };
        progress.found = dated(created, &times);
        Ok(progress)
    }

    /// Pools that were created in these blocks; why the node does not say. Of other exchanges those that may be young.
    async fn read(&mut self, (from, to): (u64, u64), head: u64) -> Result<Vec<Created>, String> {
        self.requests = self.requests.saturating_sub(1);
        let token = self.token.into_word();
        let filter = |from_any: &[Address], topics: Value| {
            let filter = json!([{
                "address": from_any,
                "fromBlock": U64::from(from),
                "toBlock": U64::from(to),
                "topics": topics,
            }]);
            ("eth_getLogs", filter)
        };
        let manager = self.spec.contracts.v4_pool_manager;
        let signature = V4PoolManager::Initialize::SIGNATURE_HASH;
        let factories = match to > head.saturating_sub(RECENT) {
            true => factories::of(self.spec),
            false => vec![],
        };
        let mut requests = vec![filter(&[manager], json!([signature, null, null, token]))];
        if factories.is_empty() {
            requests.push(filter(&[manager], json!([signature, null, token])));
        } else {
            // The second token of a factory's log stands where the first currency of the manager's does.
            let all: Vec<Address> = factories.iter().copied().chain([manager]).collect();
            let any: Vec<B256> = factories::SIGNATURES.into_iter().chain([signature]).collect();
            requests.push(filter(&all, json!([any, null, token])));
            requests.push(filter(&factories, json!([factories::SIGNATURES, token])));
        }
        let answers = self.rpc.batch(&requests).await;
        let mut created = Vec::new();
        for answer in answers.map_err(|error| error.to_string())? {
            let logs = answer.map_err(|error| error.to_string())?;
            let logs: Vec<RawLog> = serde_json::from_value(logs).map_err(|error| error.to_string())?;
            created.extend(logs.iter().filter_map(|log| self.understand(log)));
        }
        Ok(created)
    }

    /// The pool that a log tells of, if it tells the truth: its key must hash to its id.
    fn understand(&self, log: &RawLog) -> Option<Created> {
        let block = log.block_number.map(|number| number.to());
        if log.removed {
            return None;
        }
        if log.address != self.spec.contracts.v4_pool_manager {
            let pool = factories::understand(self.spec, log.address, &log.topics, &log.data)?;
            return Some((pool, block));
        }
        let event = V4PoolManager::Initialize::decode_raw_log(log.topics.iter().copied(), &log.data).ok()?;
        let key = V4PoolKey {
            currency0: event.currency0,
            currency1: event.currency1,
            fee: event.fee,
            tickSpacing: event.tickSpacing,
            hooks: event.hooks,
        };
        let pool = proven(&key, FoundBy::Log).filter(|pool| pool.id == event.id)?;
        Some((pool, block))
    }

    /// The block in which the token was created, at the earliest `first`; that one if the node does not keep old
    /// states.
    async fn creation(&mut self, first: u64, head: u64) -> u64 {
        // The code is absent in `before`, and there in `since`.
        let (mut before, mut since) = (first, head);
        match self.has_code(first).await {
            Some(false) => {}
            Some(true) | None => return first,
        }
        while since.saturating_sub(before) > 1 && self.requests > 0 {
            let middle = before.saturating_add(since.saturating_sub(before).div_euclid(2));
            match self.has_code(middle).await {
                Some(true) => since = middle,
                Some(false) => before = middle,
                // A state that is not kept: the token may be younger, and a block is not worth a guess.
                None => return before,
            }
        }
        before
    }

    async fn has_code(&mut self, block: u64) -> Option<bool> {
        self.requests = self.requests.saturating_sub(1);
        let code = self
            .rpc
            .request::<Bytes>("eth_getCode", json!([self.token, U64::from(block)]))
            .await;
        Some(!code.ok()?.is_empty())
    }

    /// The times of blocks in which pools were created, where that is not long ago.
    ///
    /// # Errors
    /// The earliest of the blocks, if the node does not name all times, and why.
    async fn times(&self, created: &[Created], head: u64) -> Result<BTreeMap<u64, Timestamp>, (u64, String)> {
        let blocks: BTreeSet<u64> = created.iter().filter_map(|(_, block)| *block).collect();
        let recent: Vec<u64> = blocks
            .into_iter()
            .filter(|block| *block > head.saturating_sub(RECENT))
            .collect();
        let Some(earliest) = recent.first().copied() else {
            return Ok(BTreeMap::new());
        };
        let mut times = BTreeMap::new();
        for blocks in sample(&recent).chunks(TIMES_AT_ONCE) {
            let requests: Vec<_> = blocks
                .iter()
                .map(|block| ("eth_getBlockByNumber", json!([U64::from(*block), false])))
                .collect();
            let answers = self.rpc.batch(&requests).await;
            let mut answers = answers
                .map_err(|error| (earliest, error.to_string()))?
                .into_iter();
            for block in blocks {
                let time = answers.next().and_then(|answer| {
                    let read: RawBlock = serde_json::from_value(answer.ok()?).ok()?;
                    read.time()
                });
                let unknown = || (earliest, format!("no node tells the time of block {block}"));
                times.insert(*block, time.ok_or_else(unknown)?);
            }
        }
        Ok(times)
    }
}

/// Of more blocks than are asked for the oldest and the newest, half of each.
fn sample(blocks: &[u64]) -> Vec<u64> {
    let half = TIMES_MAX.div_euclid(2);
    if blocks.len() <= TIMES_MAX {
        return blocks.to_vec();
    }
    let (oldest, others) = blocks.split_at(half);
    let (_, newest) = others.split_at(others.len().saturating_sub(half));
    [oldest, newest].concat()
}

/// The pools with the time of their creation, where that is not long ago; of a block that was not asked for that of the
/// next one that was, so that no pool seems older than it is. Of other exchanges only young ones.
fn dated(created: Vec<Created>, times: &BTreeMap<u64, Timestamp>) -> Vec<V4Pool> {
    let earliest = times.keys().next().copied();
    let time = |block: u64| {
        let is_recent = earliest.is_some_and(|earliest| block >= earliest);
        let next = times.range(block..).next().filter(|_| is_recent);
        next.map(|(_, time)| *time)
    };
    let dated = created.into_iter().map(|(pool, block)| V4Pool {
        created_at: block.and_then(time),
        ..pool
    });
    // Of these only the age is worth keeping.
    let is_kept = |pool: &V4Pool| pool.found_by != FoundBy::Factory || pool.created_at.is_some();
    dated.filter(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_blocks_the_oldest_and_the_newest_are_asked_for() {
        let few: Vec<u64> = (0..200).collect();
        assert_eq!(sample(&few), few);
        let many: Vec<u64> = (0..1_000).collect();
        let asked = sample(&many);
        assert_eq!(asked.len(), TIMES_MAX);
        assert_eq!(
            (asked.first(), asked.get(99), asked.get(100)),
            (Some(&0), Some(&99), Some(&900))
        );
    }

    #[test]
    fn a_pool_of_a_block_that_was_not_asked_for_is_no_older_than_the_next_that_was() {
        let at = |seconds: i64| Timestamp::from_timestamp(seconds, 0).expect("a time");
        let times = BTreeMap::from([(100, at(1_000)), (200, at(2_000))]);
        let pool = V4Pool {
            id: B256::ZERO,
            pool: crate::domain::pool::Pool::V2,
            currencies: (Address::ZERO, Address::ZERO),
            created_at: None,
            found_by: FoundBy::Log,
        };
        let created = [Some(50), Some(100), Some(150), Some(200), None].map(|block| (pool, block));
        let dated: Vec<_> = dated(created.to_vec(), &times)
            .iter()
            .map(|pool| pool.created_at)
            .collect();
        assert_eq!(
            dated,
            [None, Some(at(1_000)), Some(at(2_000)), Some(at(2_000)), None]
        );
    }
}
