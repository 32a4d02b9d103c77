//! Mining. Nothing runs between calls: the first caller makes the blocks that are due, exactly as they
//! would have been made by then.

use std::{
    collections::{HashMap, HashSet},
    str::FromStr,
};

use alloy_primitives::Address;
use sqlx::{PgConnection, PgPool};

use super::{
    codec::Swap,
    error::{PaperError, hash, read, text, texts, to_i64, unsigned},
    execute::{Due, Purse},
    faults::{Armed, FaultKind},
    lock::{LockedWallet, lock},
    made::{Made, Mined},
};
use crate::domain::{Timestamp, onchain::Asset, units::Amount};
use crate::store::session::begin;

/// Maximum number of a wallet's transactions per statement.
const BATCH: i64 = 500;

/// Most wallets of one database transaction.
const WALLETS: usize = 64;

/// Mines what is due for those of `senders` that have something due. Another caller may have mined it meanwhile.
pub(super) async fn catch_up(pool: &PgPool, chain: &str, senders: &[Address]) -> Result<(), PaperError> {
    let due = sqlx::query_scalar!(
        "SELECT w.address FROM paper.wallets w
         JOIN paper.transactions t ON t.chain = w.chain AND t.sender = w.address AND t.nonce = w.nonce
         WHERE w.chain = $1 AND w.address = ANY ($2) AND t.status = 'pooled'
           AND GREATEST(t.mine_after, w.next_block_at) <= clock_timestamp() AND t.mine_after IS NOT NULL",
        chain,
        &texts(senders.iter().copied())
    )
    .fetch_all(pool)
    .await?;
    let due = due.iter().map(|sender| read("wallets.address", sender));
    let due: Vec<Address> = due.collect::<Result<_, _>>()?;
    for some in due.chunks(WALLETS) {
        let mut transaction = begin(pool).await?;
        let mut wallets = lock(&mut transaction, chain, some, false).await?;
        mine(&mut transaction, chain, &mut wallets).await?;
        transaction.commit().await?;
    }
    Ok(())
}

struct DueRow {
    sender: String,
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

impl LockedWallet {
    /// Executes until one cannot pay its gas: it waits, and all after it.
    async fn execute(
        &mut self,
        conn: &mut PgConnection,
        armed: &Armed<'_>,
        purse: &mut Purse,
        due: Vec<(Due, Timestamp)>,
    ) -> Result<Vec<Mined>, PaperError> {
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
            self.nonce = self.nonce.saturating_add(1);
            self.next_block_at = block_time;
            mined.push(Mined {
                due,
                block_time,
                result,
            });
        }
        Ok(mined)
    }

    /// Those of its rows, from the next nonce on, that a block may hold by now, with the time of that block.
    fn due(&self, rows: &[DueRow]) -> Result<Vec<(Due, Timestamp)>, PaperError> {
        let mut block_time = self.next_block_at;
        let mut due = Vec::new();
        for (row, nonce) in rows.iter().zip(self.nonce..) {
            let Some(mine_after) = row.mine_after else { break };
            block_time = block_time.max(mine_after);
            if unsigned("transactions.nonce", row.nonce)? != nonce || block_time > self.now {
                break;
            }
            due.push((row.read()?, block_time));
        }
        Ok(due)
    }
}

/// Mines what is due for locked wallets, in nonce order and without gaps.
pub(super) async fn mine(
    conn: &mut PgConnection,
    chain: &str,
    wallets: &mut [LockedWallet],
) -> Result<(), PaperError> {
    let mut rest: Vec<&mut LockedWallet> = wallets.iter_mut().collect();
    while !rest.is_empty() {
        let mut pooled = pooled(conn, chain, &rest).await?;
        let mut work = Vec::new();
        for wallet in rest {
            let rows = pooled.remove(&wallet.address).unwrap_or_default();
            let due = wallet.due(&rows)?;
            if !due.is_empty() {
                work.push((wallet, due));
            }
        }
        rest = execute(conn, chain, work).await?;
    }
    Ok(())
}

/// Executes due transactions and writes what comes of it; the wallets that may have more.
async fn execute<'a>(
    conn: &mut PgConnection,
    chain: &str,
    work: Vec<(&'a mut LockedWallet, Vec<(Due, Timestamp)>)>,
) -> Result<Vec<&'a mut LockedWallet>, PaperError> {
    if work.is_empty() {
        return Ok(Vec::new());
    }
    let addresses: Vec<Address> = work.iter().map(|(wallet, _)| wallet.address).collect();
    let tokens = work
        .iter()
        .flat_map(|(_, due)| due)
        .flat_map(|(due, _)| due.tokens());
    let assets: HashSet<Asset> = tokens.map(Asset::Token).chain([Asset::Native]).collect();
    let mut held = balances(conn, chain, &addresses, assets).await?;
    let armed = Armed::load(conn, chain).await?;
    let (mut made, mut rest) = (Made::default(), Vec::new());
    for (wallet, due) in work {
        let mut purse = Purse::new(held.remove(&wallet.address).unwrap_or_default());
        let offered = due.len();
        let mined = wallet.execute(conn, &armed, &mut purse, due).await?;
        made.add(wallet, &purse, &mined)?;
        let is_full = i64::try_from(offered).is_ok_and(|offered| offered == BATCH);
        if is_full && mined.len() == offered {
            rest.push(wallet);
        }
    }
    made.write(conn, chain).await?;
    Ok(rest)
}

/// The transactions of each wallet that wait from its next nonce on.
async fn pooled(
    conn: &mut PgConnection,
    chain: &str,
    wallets: &[&mut LockedWallet],
) -> Result<HashMap<Address, Vec<DueRow>>, PaperError> {
    let nonces = wallets.iter().map(|wallet| to_i64("wallets.nonce", wallet.nonce));
    let nonces: Vec<i64> = nonces.collect::<Result<_, _>>()?;
    let rows = sqlx::query_as!(
        DueRow,
        r#"SELECT t.sender, t.hash, t.nonce, t.gas_price::text AS "gas_price!", t.gas_limit, t.gas_needed, t.mine_after,
                  t.token_in, t.token_out, t.amount_in::text, t.amount_out::text, t.amount_out_min::text, t.deadline
           FROM unnest($2::text[], $3::bigint[]) AS w (address, nonce)
           CROSS JOIN LATERAL (
               SELECT * FROM paper.transactions p
               WHERE p.chain = $1 AND p.sender = w.address AND p.status = 'pooled' AND p.nonce >= w.nonce
               ORDER BY p.nonce LIMIT $4) AS t
           ORDER BY t.sender, t.nonce"#,
        chain,
        &texts(wallets.iter().map(|wallet| wallet.address)),
        &nonces,
        BATCH
    )
    .fetch_all(conn)
    .await?;
    let mut pooled: HashMap<Address, Vec<DueRow>> = HashMap::new();
    for row in rows {
        let sender = read("transactions.sender", &row.sender)?;
        pooled.entry(sender).or_default().push(row);
    }
    Ok(pooled)
}

/// Balances of wallets; assets that a wallet never held are absent, as it is if it held none.
pub(super) async fn balances(
    conn: &mut PgConnection,
    chain: &str,
    addresses: &[Address],
    assets: impl IntoIterator<Item = Asset>,
) -> Result<HashMap<Address, HashMap<Asset, Amount>>, PaperError> {
    let names: Vec<_> = assets.into_iter().map(|asset| asset.to_string()).collect();
    let rows = sqlx::query!(
        r#"SELECT address, asset, amount::text AS "amount!" FROM paper.balances
           WHERE chain = $1 AND address = ANY ($2) AND asset = ANY ($3)"#,
        chain,
        &texts(addresses.iter().copied()),
        &names
    )
    .fetch_all(conn)
    .await?;
    let mut held: HashMap<Address, HashMap<Asset, Amount>> = HashMap::new();
    for row in rows {
        let assets = held.entry(read("balances.address", &row.address)?).or_default();
        assets.insert(
            read("balances.asset", &row.asset)?,
            read("balances.amount", &row.amount)?,
        );
    }
    Ok(held)
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
