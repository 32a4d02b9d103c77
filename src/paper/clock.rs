//! Blocks as a function of time: they exist whether or not they are read.

use alloy_primitives::{B256, keccak256};
use chrono::TimeDelta;

use crate::domain::Timestamp;

/// The times of a chain's blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockClock {
    genesis: Timestamp,
    block_millis: i64,
}

impl BlockClock {
    /// Blocks every `block_millis`, at least one, since `genesis`.
    pub(super) fn new(genesis: Timestamp, block_millis: i64) -> Self {
        Self {
            genesis,
            block_millis: block_millis.max(1),
        }
    }

    /// The newest block at `now`; block 0 before genesis.
    pub(super) fn number_at(self, now: Timestamp) -> u64 {
        let passed = now.signed_duration_since(self.genesis).num_milliseconds();
        u64::try_from(passed.div_euclid(self.block_millis)).unwrap_or(0)
    }

    /// The time of block `number`.
    pub(super) fn time_of(self, number: u64) -> Timestamp {
        i64::try_from(number)
            .ok()
            .and_then(|number| number.checked_mul(self.block_millis))
            .and_then(TimeDelta::try_milliseconds)
            .and_then(|passed| self.genesis.checked_add_signed(passed))
            .unwrap_or(Timestamp::MAX_UTC)
    }

    /// The time of the first block after `instant`.
    pub(super) fn next_after(self, instant: Timestamp) -> Timestamp {
        self.time_of(self.number_at(instant).saturating_add(1))
    }
}

/// The hash of block `number` of `chain`.
pub(super) fn block_hash(chain: &str, number: u64) -> B256 {
    keccak256(format!("lgi-mm paper block {chain} {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_block_is_the_first_one_strictly_later() {
        let genesis = Timestamp::UNIX_EPOCH;
        let clock = BlockClock::new(genesis, 250);
        for (millis, number, next) in [
            (0, 0, 250),
            (1, 0, 250),
            (249, 0, 250),
            (250, 1, 500),
            (-1, 0, 250),
        ] {
            let instant = genesis + TimeDelta::milliseconds(millis);
            assert_eq!(clock.number_at(instant), number, "{millis}");
            assert_eq!(
                clock.next_after(instant),
                genesis + TimeDelta::milliseconds(next),
                "{millis}"
            );
        }
    }

    #[test]
    fn a_block_is_the_newest_from_its_own_time_on() {
        let clock = BlockClock::new(Timestamp::UNIX_EPOCH, 1_000);
        for number in [0, 1, 7, 1_900_000_000] {
            assert_eq!(clock.number_at(clock.time_of(number)), number);
        }
    }

    #[test]
    fn every_chain_has_blocks_of_its_own() {
        assert_ne!(block_hash("base", 1), block_hash("ethereum", 1));
        assert_ne!(block_hash("base", 1), block_hash("base", 2));
    }
}
