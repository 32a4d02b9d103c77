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
///
/// `sync`: the commit waits for the disk. Without, a crash of the server may lose what a node may lose, its pool, and
/// blocks that are made again as they were: whatever the ledger notes of them commits later, and takes them to the disk
/// with it.
pub(super) async fn lock<'a>(
    conn: &mut PgConnection,
    chain: &'a str,
    address: Address,
    sync: bool,
) -> Result<Option<LockedWallet<'a>>, PaperError> {
    // The time is read once the row is locked, not before waiting for it.
    let Some(row) = sqlx::query!(
        r#"WITH locked AS MATERIALIZED (
               SELECT w.nonce, w.next_block_at, c.genesis, c.block_millis
               FROM paper.wallets w JOIN paper.chains c ON c.name = w.chain
               WHERE w.chain = $1 AND w.address = $2 FOR UPDATE OF w)
           SELECT nonce AS "nonce!", next_block_at AS "next_block_at!", genesis AS "genesis!",
                  block_millis AS "block_millis!", clock_timestamp() AS "now!",
                  CASE WHEN NOT $3::bool THEN set_config('synchronous_commit', 'off', true) END AS relaxed
           FROM locked"#,
        chain,
        text(address),
        sync,
    )
    .fetch_optional(conn)
    .await?
    else {
        return Ok(None);
    };
    Ok(Some(LockedWallet {
        chain,
        address,
        nonce: unsigned("wallets.nonce", row.nonce)?,
        clock: BlockClock::new(row.genesis, row.block_millis),
        now: row.now,
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
        mine_for(pool, chain, read("wallets.address", &sender)?).await?;
    }
    Ok(pool.acquire().await?)
}

/// Mines what is due for a sender that has something due.
pub(super) async fn mine_for(pool: &PgPool, chain: &str, sender: Address) -> Result<(), PaperError> {
    let place = MINING.get(usize::from(sender.last().copied().unwrap_or_default()));
    let (_alone, waited) = match place {
        Some(place) => match place.try_lock() {
            Ok(alone) => (Some(alone), false),
            Err(_) => (Some(place.lock().await), true),
        },
        None => (None, false),
    };
    // Another caller has mined meanwhile, as a rule.
    if waited && !has_due(pool, chain, sender).await? {
        return Ok(());
    }
    let mut transaction = begin(pool).await?;
    if let Some(mut wallet) = lock(&mut transaction, chain, sender, false).await? {
        wallet.mine(&mut transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

async fn has_due(pool: &PgPool, chain: &str, sender: Address) -> Result<bool, PaperError> {
    let due = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM paper.wallets w
               JOIN paper.transactions t ON t.chain = w.chain AND t.sender = w.address AND t.nonce = w.nonce
               WHERE w.chain = $1 AND w.address = $2 AND t.status = 'pooled'
                 AND greatest(t.mine_after, w.next_block_at) <= clock_timestamp() AND t.mine_after IS NOT NULL) AS "due!""#,
        chain,
        text(sender)
    )
    .fetch_one(pool)
    .await?;
    Ok(due)
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
        let (rows, logs) = (Rows::of(self.clock, mined)?, Logs::of(mined));
        let (assets, amounts): (Vec<_>, Vec<_>) = purse
            .balances()
            .map(|(asset, amount)| (asset.to_string(), amount.to_string()))
            .unzip();
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
                 SELECT $12, $13, asset, amount::numeric FROM unnest($14::text[], $15::text[]) AS u (asset, amount)
                 ON CONFLICT (chain, address, asset) DO UPDATE SET amount = excluded.amount)
             UPDATE paper.wallets SET nonce = $16, next_block_at = $17 WHERE chain = $12 AND address = $13",
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
            self.chain,
            text(self.address),
            &assets,
            &amounts,
            to_i64("wallets.nonce", self.nonce)?,
            self.next_block_at,
        )
        .execute(conn)
        .await?;
        Ok(())
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
    fn of(clock: BlockClock, mined: &[Mined]) -> Result<Self, PaperError> {
        let mut rows = Self::default();
        for mined in mined {
            let number = clock.number_at(mined.block_time);
            rows.hashes.push(mined.due.hash.to_vec());
            rows.numbers.push(to_i64("transactions.block_number", number)?);
            rows.times.push(mined.block_time);
            rows.gas.push(mined.due.gas_cost().to_string());
            rows.reasons
                .push(mined.result.as_ref().err().map(Revert::to_string));
        }
        Ok(rows)
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
    fn of(mined: &[Mined]) -> Self {
        let mut logs = Self::default();
        for mined in mined {
            let transfers = mined.result.iter().flatten();
            for (log, index) in transfers.zip(0_i32..) {
                logs.hashes.push(mined.due.hash.to_vec());
                logs.indexes.push(index);
                logs.tokens.push(text(log.token));
                logs.senders.push(text(log.from));
                logs.receivers.push(text(log.to));
                logs.amounts.push(log.amount.to_string());
            }
        }
        logs
    }
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
