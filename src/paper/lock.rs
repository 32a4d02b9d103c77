//! Senders whose rows a database transaction holds.

use alloy_primitives::Address;
use sqlx::PgConnection;

use super::{
    clock::BlockClock,
    error::{PaperError, read, texts, unsigned},
};
use crate::domain::Timestamp;

/// A sender whose row this database transaction holds.
#[derive(Debug)]
pub(super) struct LockedWallet {
    pub(super) address: Address,
    /// The next nonce to mine.
    pub(super) nonce: u64,
    pub(super) clock: BlockClock,
    /// The venue's clock, read under the lock.
    pub(super) now: Timestamp,
    /// No later transaction lies in a block before this instant.
    pub(super) next_block_at: Timestamp,
}

/// Locks senders, in the order of their addresses, as every transaction does. Wallets that were never opened are
/// absent.
///
/// `sync`: the commit waits for the disk. Without, a crash of the server may lose what a node may lose, its pool, and
/// blocks that are made again as they were: whatever the ledger notes of them commits later, and takes them to the disk
/// with it.
pub(super) async fn lock(
    conn: &mut PgConnection,
    chain: &str,
    addresses: &[Address],
    sync: bool,
) -> Result<Vec<LockedWallet>, PaperError> {
    // The time is read once a row is locked, not before waiting for it.
    sqlx::query!(
        r#"WITH locked AS MATERIALIZED (
               SELECT w.address, w.nonce, w.next_block_at, c.genesis, c.block_millis
               FROM paper.wallets w JOIN paper.chains c ON c.name = w.chain
               WHERE w.chain = $1 AND w.address = ANY ($2) ORDER BY w.address FOR UPDATE OF w)
           SELECT address AS "address!", nonce AS "nonce!", next_block_at AS "next_block_at!", genesis AS "genesis!",
                  block_millis AS "block_millis!", clock_timestamp() AS "now!",
                  CASE WHEN NOT $3::bool THEN set_config('synchronous_commit', 'off', true) END AS relaxed
           FROM locked"#,
        chain,
        &texts(addresses.iter().copied()),
        sync,
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| {
        Ok(LockedWallet {
            address: read("wallets.address", &row.address)?,
            nonce: unsigned("wallets.nonce", row.nonce)?,
            clock: BlockClock::new(row.genesis, row.block_millis),
            now: row.now,
            next_block_at: row.next_block_at,
        })
    })
    .collect()
}
