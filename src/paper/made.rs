//! What mining has made of wallets, written in one statement.

use alloy_primitives::Address;
use sqlx::PgConnection;

use super::{
    clock::BlockClock,
    error::{PaperError, text, to_i64},
    execute::{Due, Purse, Revert},
    lock::LockedWallet,
};
use crate::domain::{
    Timestamp,
    onchain::{Asset, Transfer},
    units::Amount,
};

/// A mined transaction.
pub(super) struct Mined {
    pub(super) due: Due,
    pub(super) block_time: Timestamp,
    pub(super) result: Result<Vec<Transfer>, Revert>,
}

/// What mining has made, as columns.
#[derive(Default)]
pub(super) struct Made {
    rows: Rows,
    logs: Logs,
    held: Held,
    wallets: Wallets,
}

impl Made {
    pub(super) fn add(
        &mut self,
        wallet: &LockedWallet,
        purse: &Purse,
        mined: &[Mined],
    ) -> Result<(), PaperError> {
        if mined.is_empty() {
            return Ok(());
        }
        self.rows.add(wallet.clock, mined)?;
        self.logs.add(mined);
        self.held.add(wallet.address, purse.balances());
        self.wallets.addresses.push(text(wallet.address));
        self.wallets.nonces.push(to_i64("wallets.nonce", wallet.nonce)?);
        self.wallets.next_blocks.push(wallet.next_block_at);
        Ok(())
    }

    pub(super) async fn write(self, conn: &mut PgConnection, chain: &str) -> Result<(), PaperError> {
        let Self {
            rows,
            logs,
            held,
            wallets,
        } = self;
        if wallets.addresses.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "WITH mined AS (
                 UPDATE paper.transactions t
                 SET status = CASE WHEN u.reason IS NULL THEN 'mined' ELSE 'reverted' END, revert_reason = u.reason,
                     block_number = u.number, block_time = u.time, gas_native = u.gas::numeric
                 FROM unnest($1::bytea[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[])
                      AS u (hash, number, time, gas, reason)
                 WHERE t.hash = u.hash
             ), logged AS (
                 INSERT INTO paper.transfers (tx_hash, log_index, token, from_address, to_address, amount)
                 SELECT hash, log_index, token, from_address, to_address, amount::numeric
                 FROM unnest($6::bytea[], $7::integer[], $8::text[], $9::text[], $10::text[], $11::text[])
                      AS u (hash, log_index, token, from_address, to_address, amount)
             ), held AS (
                 INSERT INTO paper.balances (chain, address, asset, amount)
                 SELECT $12, address, asset, amount::numeric
                 FROM unnest($13::text[], $14::text[], $15::text[]) AS u (address, asset, amount)
                 ON CONFLICT (chain, address, asset) DO UPDATE SET amount = excluded.amount)
             UPDATE paper.wallets w SET nonce = u.nonce, next_block_at = u.next_block_at
             FROM unnest($16::text[], $17::bigint[], $18::timestamptz[]) AS u (address, nonce, next_block_at)
             WHERE w.chain = $12 AND w.address = u.address",
            &rows.hashes,
            &rows.numbers,
            &rows.times,
            &rows.gas,
            &rows.reasons as &[Option<String>],
            &logs.hashes,
            &logs.indexes,
            &logs.tokens,
            &logs.senders,
            &logs.receivers,
            &logs.amounts,
            chain,
            &held.addresses,
            &held.assets,
            &held.amounts,
            &wallets.addresses,
            &wallets.nonces,
            &wallets.next_blocks,
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// Wallets after mining, as columns.
#[derive(Default)]
struct Wallets {
    addresses: Vec<String>,
    nonces: Vec<i64>,
    next_blocks: Vec<Timestamp>,
}

/// Balances, as columns.
#[derive(Default)]
struct Held {
    addresses: Vec<String>,
    assets: Vec<String>,
    amounts: Vec<String>,
}

impl Held {
    fn add(&mut self, address: Address, balances: impl Iterator<Item = (Asset, Amount)>) {
        for (asset, amount) in balances {
            self.addresses.push(text(address));
            self.assets.push(asset.to_string());
            self.amounts.push(amount.to_string());
        }
    }
}

/// Mined transactions, as columns.
#[derive(Default)]
struct Rows {
    hashes: Vec<Vec<u8>>,
    numbers: Vec<i64>,
    times: Vec<Timestamp>,
    gas: Vec<String>,
    reasons: Vec<Option<String>>,
}

impl Rows {
    fn add(&mut self, clock: BlockClock, mined: &[Mined]) -> Result<(), PaperError> {
        for mined in mined {
            let number = clock.number_at(mined.block_time);
            self.hashes.push(mined.due.hash.to_vec());
            self.numbers.push(to_i64("transactions.block_number", number)?);
            self.times.push(mined.block_time);
            self.gas.push(mined.due.gas_cost().to_string());
            self.reasons
                .push(mined.result.as_ref().err().map(Revert::to_string));
        }
        Ok(())
    }
}

/// Their logs, as columns.
#[derive(Default)]
struct Logs {
    hashes: Vec<Vec<u8>>,
    indexes: Vec<i32>,
    tokens: Vec<String>,
    senders: Vec<String>,
    receivers: Vec<String>,
    amounts: Vec<String>,
}

impl Logs {
    fn add(&mut self, mined: &[Mined]) {
        for mined in mined {
            let transfers = mined.result.iter().flatten();
            for (log, index) in transfers.zip(0_i32..) {
                self.hashes.push(mined.due.hash.to_vec());
                self.indexes.push(index);
                self.tokens.push(text(log.token));
                self.senders.push(text(log.from));
                self.receivers.push(text(log.to));
                self.amounts.push(log.amount.to_string());
            }
        }
    }
}
