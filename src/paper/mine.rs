//! Mining. Nothing runs between calls: the first caller makes the blocks that are due, exactly as they
//! would have been made by then.

use std::{collections::HashMap, str::FromStr};

use alloy_primitives::Address;
use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};
use tokio::sync::Mutex;

use super::{
    clock::BlockClock,
    codec::Swap,
    error::{PaperError, hash, read, text, texts, to_i64, unsigned},
    execute::{Due, Purse, Revert},
    faults::{Armed, FaultKind},
};
use crate::domain::{
    Timestamp,
    onchain::{Asset, Transfer},
    units::Amount,
};
use crate::store::session::begin;

/// Maximum number of transactions per statement.
const BATCH: i64 = 500;

/// One caller of a process at a time mines for a wallet, by the last byte of its address. Others would wait for its row
/// in the database, each with a connection that lives on if this host vanishes, one after the other.
static MINING: [Mutex<()>; 256] = [const { Mutex::const_new(()) }; 256];

/// A sender whose row this database transaction holds.
#[derive(Debug)]
pub(super) struct LockedWallet<'a> {
    pub(super) chain: &'a str,
    pub(super) address: Address,
    /// The next nonce to mine.
    pub(super) nonce: u64,
    pub(super) clock: BlockClock,
    /// The venue's clock, read under the lock.
    pub(super) now: Timestamp,
    next_block_at: Timestamp,
}

/// Locks a sender; `None` if that wallet was never opened.
pub(super) async fn lock<'a>(
    conn: &mut PgConnection,
    chain: &'a str,
    address: Address,
) -> Result<Option<LockedWallet<'a>>, PaperError> {
    let Some(row) = sqlx::query!(
        "SELECT w.nonce, w.next_block_at, c.genesis, c.block_millis
         FROM paper.wallets w JOIN paper.chains c ON c.name = w.chain
         WHERE w.chain = $1 AND w.address = $2 FOR UPDATE OF w",
        chain,
        text(address)
    )
    .fetch_optional(&mut *conn)
    .await?
    else {
        return Ok(None);
    };
    // In a statement of its own: in the one above it would be the time before waiting for the lock.
    let now = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#)
        .fetch_one(conn)
        .await?;
    Ok(Some(LockedWallet {
        chain,
        address,
        nonce: unsigned("wallets.nonce", row.nonce)?,
        clock: BlockClock::new(row.genesis, row.block_millis),
        now,
        next_block_at: row.next_block_at,
    }))
}

/// Mines what is due for those of `senders` that have something due, one database transaction each. The connection is
/// given back only while something is mined: no caller holds one and waits for another.
pub(super) async fn catch_up(
    pool: &PgPool,
    mut conn: PoolConnection<Postgres>,
    chain: &str,
    senders: &[Address],
) -> Result<PoolConnection<Postgres>, PaperError> {
    let due = sqlx::query_scalar!(
        "SELECT w.address FROM paper.wallets w
         JOIN paper.transactions t ON t.chain = w.chain AND t.sender = w.address AND t.nonce = w.nonce
         WHERE w.chain = $1 AND w.address = ANY($2) AND t.status = 'pooled'
           AND GREATEST(t.mine_after, w.next_block_at) <= clock_timestamp() AND t.mine_after IS NOT NULL",
        chain,
        &texts(senders)
    )
    .fetch_all(&mut *conn)
    .await?;
    if due.is_empty() {
        return Ok(conn);
    }
    drop(conn);
    for sender in due {
        let sender: Address = read("wallets.address", &sender)?;
        let place = usize::from(sender.last().copied().unwrap_or_default());
        let _alone = match MINING.get(place) {
            Some(place) => Some(place.lock().await),
            None => None,
        };
        let mut transaction = begin(pool).await?;
        if let Some(mut wallet) = lock(&mut transaction, chain, sender).await? {
            wallet.mine(&mut transaction).await?;
        }
        transaction.commit().await?;
    }
    Ok(pool.acquire().await?)
}

struct DueRow {
    hash: Vec<u8>,
    nonce: i64,
    gas_price: String,
    gas_limit: i64,
    gas_needed: i64,
    mine_after: Option<Timestamp>,
    token_in: Option<String>,
    token_out: Option<String>,
    amount_in: Option<String>,
    amount_out: Option<String>,
    amount_out_min: Option<String>,
    deadline: Option<Timestamp>,
}

impl DueRow {
    fn read(&self) -> Result<Due, PaperError> {
        Ok(Due {
            hash: hash("transactions.hash", &self.hash)?,
            gas_price: read("transactions.gas_price", &self.gas_price)?,
            gas_limit: unsigned("transactions.gas_limit", self.gas_limit)?,
            gas_needed: unsigned("transactions.gas_needed", self.gas_needed)?,
            swap: self
                .deadline
                .map(|deadline| self.read_swap(deadline))
                .transpose()?,
        })
    }

    /// A swap has all of its columns, a cancel none.
    fn read_swap(&self, deadline: Timestamp) -> Result<Swap, PaperError> {
        Ok(Swap {
            token_in: optional("transactions.token_in", self.token_in.as_deref())?,
            token_out: optional("transactions.token_out", self.token_out.as_deref())?,
            amount_in: optional("transactions.amount_in", self.amount_in.as_deref())?,
            amount_out: optional("transactions.amount_out", self.amount_out.as_deref())?,
            amount_out_min: optional("transactions.amount_out_min", self.amount_out_min.as_deref())?,
            deadline,
        })
    }
}

fn optional<T: FromStr>(column: &'static str, text: Option<&str>) -> Result<T, PaperError> {
    read(column, text.unwrap_or_default())
}

/// A mined transaction.
struct Mined {
    due: Due,
    block_time: Timestamp,
    result: Result<Vec<Transfer>, Revert>,
}

impl LockedWallet<'_> {
    /// Mines due transactions, in nonce order and without gaps.
    pub(super) async fn mine(&mut self, conn: &mut PgConnection) -> Result<(), PaperError> {
        loop {
            let due = self.due(conn).await?;
            let mined_all = i64::try_from(due.len()).unwrap_or(i64::MAX) < BATCH;
            if due.is_empty() {
                return Ok(());
            }
            let mut purse = self.purse(conn, &due).await?;
            let offered = due.len();
            let mined = self.execute(conn, &mut purse, due).await?;
            let stopped = mined.len() < offered;
            self.write(conn, &purse, &mined).await?;
            if mined_all || stopped {
                return Ok(());
            }
        }
    }

    /// The transactions from the next nonce on that a block may hold by now, with the time of that block.
    async fn due(&self, conn: &mut PgConnection) -> Result<Vec<(Due, Timestamp)>, PaperError> {
        let rows = sqlx::query_as!(
            DueRow,
            r#"SELECT hash, nonce, gas_price::text AS "gas_price!", gas_limit, gas_needed, mine_after,
                      token_in, token_out, amount_in::text, amount_out::text, amount_out_min::text, deadline
               FROM paper.transactions
               WHERE chain = $1 AND sender = $2 AND status = 'pooled' AND nonce >= $3 ORDER BY nonce LIMIT $4"#,
            self.chain,
            text(self.address),
            to_i64("wallets.nonce", self.nonce)?,
            BATCH
        )
        .fetch_all(conn)
        .await?;
        let mut block_time = self.next_block_at;
        let mut due = Vec::new();
        for (row, nonce) in rows.into_iter().zip(self.nonce..) {
            let Some(mine_after) = row.mine_after else { break };
            block_time = block_time.max(mine_after);
            if unsigned("transactions.nonce", row.nonce)? != nonce || block_time > self.now {
                break;
            }
            due.push((row.read()?, block_time));
        }
        Ok(due)
    }

    /// This wallet's balances of the assets that `due` touches.
    async fn purse(&self, conn: &mut PgConnection, due: &[(Due, Timestamp)]) -> Result<Purse, PaperError> {
        let tokens = due.iter().flat_map(|(due, _)| due.tokens()).map(Asset::Token);
        let assets: Vec<_> = tokens.chain([Asset::Native]).collect();
        balances(conn, self.chain, self.address, &assets)
            .await
            .map(Purse::new)
    }

    /// Executes until one cannot pay its gas: it waits, and all after it.
    async fn execute(
        &self,
        conn: &mut PgConnection,
        purse: &mut Purse,
        due: Vec<(Due, Timestamp)>,
    ) -> Result<Vec<Mined>, PaperError> {
        let armed = Armed::load(conn, self.chain).await?;
        let mut mined = Vec::with_capacity(due.len());
        for (due, block_time) in due {
            if !purse.can_pay(&due) {
                break;
            }
            let revert_ordered = due.swap.is_some()
                && armed
                    .strike(conn, FaultKind::Revert, &due.tokens())
                    .await?
                    .is_some();
            let result = purse.execute(&due, self.address, block_time, revert_ordered);
            mined.push(Mined {
                due,
                block_time,
                result,
            });
        }
        Ok(mined)
    }

    async fn write(
        &mut self,
        conn: &mut PgConnection,
        purse: &Purse,
        mined: &[Mined],
    ) -> Result<(), PaperError> {
        let Some(last) = mined.last() else { return Ok(()) };
        self.next_block_at = last.block_time;
        self.nonce = self
            .nonce
            .saturating_add(u64::try_from(mined.len()).unwrap_or(u64::MAX));
        self.write_transactions(conn, mined).await?;
        write_transfers(conn, mined).await?;
        write_balances(conn, self.chain, self.address, purse.balances()).await?;
        sqlx::query!(
            "UPDATE paper.wallets SET nonce = $3, next_block_at = $4 WHERE chain = $1 AND address = $2",
            self.chain,
            text(self.address),
            to_i64("wallets.nonce", self.nonce)?,
            self.next_block_at
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_transactions(&self, conn: &mut PgConnection, mined: &[Mined]) -> Result<(), PaperError> {
        let hashes: Vec<_> = mined.iter().map(|mined| mined.due.hash.to_vec()).collect();
        let times: Vec<_> = mined.iter().map(|mined| mined.block_time).collect();
        let numbers = times
            .iter()
            .map(|time| to_i64("transactions.block_number", self.clock.number_at(*time)))
            .collect::<Result<Vec<_>, _>>()?;
        let gas: Vec<_> = mined
            .iter()
            .map(|mined| mined.due.gas_cost().to_string())
            .collect();
        let reasons: Vec<_> = mined
            .iter()
            .map(|mined| mined.result.as_ref().err().map(Revert::to_string))
            .collect();
        sqlx::query!(
            "UPDATE paper.transactions t
             SET status = CASE WHEN u.reason IS NULL THEN 'mined' ELSE 'reverted' END, revert_reason = u.reason,
                 block_number = u.number, block_time = u.time, gas_native = u.gas::numeric
             FROM UNNEST($1::bytea[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[])
                  AS u(hash, number, time, gas, reason)
             WHERE t.hash = u.hash",
            &hashes,
            &numbers,
            &times,
            &gas,
            &reasons as &[Option<String>]
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

async fn write_transfers(conn: &mut PgConnection, mined: &[Mined]) -> Result<(), PaperError> {
    let logs: Vec<_> = mined
        .iter()
        .filter_map(|mined| Some((mined.due.hash, mined.result.as_ref().ok()?)))
        .flat_map(|(hash, transfers)| {
            transfers
                .iter()
                .zip(0_i32..)
                .map(move |(log, index)| (hash, index, log))
        })
        .collect();
    let hashes: Vec<_> = logs.iter().map(|(hash, ..)| hash.to_vec()).collect();
    let indexes: Vec<_> = logs.iter().map(|(_, index, _)| *index).collect();
    let column = |of: fn(&Transfer) -> String| -> Vec<_> { logs.iter().map(|(.., log)| of(log)).collect() };
    sqlx::query!(
        "INSERT INTO paper.transfers (tx_hash, log_index, token, from_address, to_address, amount)
         SELECT hash, log_index, token, from_address, to_address, amount::numeric
         FROM UNNEST($1::bytea[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[])
              AS u(hash, log_index, token, from_address, to_address, amount)",
        &hashes,
        &indexes,
        &column(|log| text(log.token)),
        &column(|log| text(log.from)),
        &column(|log| text(log.to)),
        &column(|log| log.amount.to_string())
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A wallet's balances of `assets`; assets that it never held are absent.
pub(super) async fn balances(
    conn: &mut PgConnection,
    chain: &str,
    address: Address,
    assets: &[Asset],
) -> Result<HashMap<Asset, Amount>, PaperError> {
    let names: Vec<_> = assets.iter().copied().map(|asset| asset.to_string()).collect();
    sqlx::query!(
        r#"SELECT asset, amount::text AS "amount!" FROM paper.balances
           WHERE chain = $1 AND address = $2 AND asset = ANY($3)"#,
        chain,
        text(address),
        &names
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| {
        Ok((
            read("balances.asset", &row.asset)?,
            read("balances.amount", &row.amount)?,
        ))
    })
    .collect()
}

/// Sets balances. The caller holds the wallet's lock.
pub(super) async fn write_balances(
    conn: &mut PgConnection,
    chain: &str,
    address: Address,
    balances: impl Iterator<Item = (Asset, Amount)>,
) -> Result<(), PaperError> {
    let (assets, amounts): (Vec<_>, Vec<_>) = balances
        .map(|(asset, amount)| (asset.to_string(), amount.to_string()))
        .unzip();
    sqlx::query!(
        "INSERT INTO paper.balances (chain, address, asset, amount)
         SELECT $1, $2, asset, amount::numeric FROM UNNEST($3::text[], $4::text[]) AS u(asset, amount)
         ON CONFLICT (chain, address, asset) DO UPDATE SET amount = EXCLUDED.amount",
        chain,
        text(address),
        &assets,
        &amounts
    )
    .execute(conn)
    .await?;
    Ok(())
}
