//! What the paper ledger says of wallets and transactions, many at once.

use std::collections::{HashMap, HashSet};

use alloy_primitives::{Address, B256};
use sqlx::PgPool;

use super::{
    clock::block_hash,
    error::{PaperError, hash, read, texts, unsigned},
};
use crate::domain::{
    Timestamp,
    onchain::{Asset, Lookup, Receipt, Transfer},
    units::Amount,
};

/// Senders of which a transaction is to be mined by now.
pub(super) type DueSenders = HashSet<Address>;

/// Balances that a caller wants.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) wallet: Address,
    pub(super) assets: Vec<Asset>,
}

/// Balances of wallets; what they never held is absent.
#[derive(Debug, Default)]
pub(super) struct Balances(HashMap<(Address, Asset), Amount>);

impl Balances {
    /// In the order asked.
    pub(super) fn of(&self, wanted: &Wanted) -> Vec<Amount> {
        let held = |asset: &Asset| self.0.get(&(wanted.wallet, *asset)).copied();
        wanted
            .assets
            .iter()
            .map(|asset| held(asset).unwrap_or(Amount::ZERO))
            .collect()
    }
}

/// Balances, and who has something due that may change them.
pub(super) async fn balances(
    pool: &PgPool,
    chain: &str,
    wanted: &[Wanted],
) -> Result<(Balances, DueSenders), PaperError> {
    let wallets: HashSet<Address> = wanted.iter().map(|one| one.wallet).collect();
    let assets: HashSet<Asset> = wanted.iter().flat_map(|one| one.assets.iter().copied()).collect();
    let names: Vec<String> = assets.into_iter().map(|asset| asset.to_string()).collect();
    let rows = sqlx::query!(
        r#"SELECT w.address, p.hash IS NOT NULL AS "is_due!", b.asset AS "asset?", b.amount::text AS amount
           FROM paper.wallets w
           LEFT JOIN paper.transactions p ON p.chain = w.chain AND p.sender = w.address AND p.nonce = w.nonce
               AND p.status = 'pooled' AND p.mine_after IS NOT NULL
               AND greatest(p.mine_after, w.next_block_at) <= clock_timestamp()
           LEFT JOIN paper.balances b ON b.chain = w.chain AND b.address = w.address AND b.asset = ANY ($3)
           WHERE w.chain = $1 AND w.address = ANY ($2)"#,
        chain,
        &texts(wallets),
        &names
    )
    .fetch_all(pool)
    .await?;
    let (mut balances, mut due) = (Balances::default(), DueSenders::new());
    for row in rows {
        let wallet = read("wallets.address", &row.address)?;
        if row.is_due {
            due.insert(wallet);
        }
        if let (Some(asset), Some(amount)) = (row.asset, row.amount) {
            let asset = read("balances.asset", &asset)?;
            balances
                .0
                .insert((wallet, asset), read("balances.amount", &amount)?);
        }
    }
    Ok((balances, due))
}

/// The next nonce to mine and those in the pool.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    pub(super) nonce: i64,
    pub(super) pooled: Vec<i64>,
}

/// The nonces of wallets, without those that were never opened, and who has something due.
pub(super) async fn nonces(
    pool: &PgPool,
    chain: &str,
    senders: &[Address],
) -> Result<(HashMap<Address, Counted>, DueSenders), PaperError> {
    let senders: HashSet<Address> = senders.iter().copied().collect();
    // One statement, so that nothing is mined between the two counts.
    let rows = sqlx::query!(
        r#"SELECT w.address, w.nonce,
                  array(SELECT t.nonce FROM paper.transactions t
                        WHERE t.chain = w.chain AND t.sender = w.address AND t.nonce >= w.nonce AND t.status = 'pooled'
                        ORDER BY t.nonce) AS "pooled!",
                  p.hash IS NOT NULL AS "is_due!"
           FROM paper.wallets w
           LEFT JOIN paper.transactions p ON p.chain = w.chain AND p.sender = w.address AND p.nonce = w.nonce
               AND p.status = 'pooled' AND p.mine_after IS NOT NULL
               AND greatest(p.mine_after, w.next_block_at) <= clock_timestamp()
           WHERE w.chain = $1 AND w.address = ANY ($2)"#,
        chain,
        &texts(senders)
    )
    .fetch_all(pool)
    .await?;
    let (mut counted, mut due) = (HashMap::new(), DueSenders::new());
    for row in rows {
        let sender = read("wallets.address", &row.address)?;
        if row.is_due {
            due.insert(sender);
        }
        counted.insert(
            sender,
            Counted {
                nonce: row.nonce,
                pooled: row.pooled,
            },
        );
    }
    Ok((counted, due))
}

/// What is known of some hashes, whatever their outcome, and the senders that have something due.
pub(super) async fn states(
    pool: &PgPool,
    chain: &str,
    hashes: &[B256],
) -> Result<(States, DueSenders), PaperError> {
    let hashes: HashSet<B256> = hashes.iter().copied().collect();
    let hashes: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.to_vec()).collect();
    let rows = sqlx::query_as!(
        StateRow,
        r#"SELECT t.hash, t.status, t.block_number, t.block_time, t.gas_native::text AS gas, t.sender, t.token_in,
                  t.token_out,
                  EXISTS (SELECT FROM paper.wallets w JOIN paper.transactions p
                              ON p.chain = w.chain AND p.sender = w.address AND p.nonce = w.nonce
                          WHERE w.chain = t.chain AND w.address = t.sender AND p.status = 'pooled'
                            AND p.mine_after IS NOT NULL
                            AND greatest(p.mine_after, w.next_block_at) <= clock_timestamp()) AS "is_due!",
                  l.token AS "token?", l.from_address AS "from?", l.to_address AS "to?", l.amount::text AS amount
           FROM paper.transactions t LEFT JOIN paper.transfers l ON l.tx_hash = t.hash
           WHERE t.chain = $1 AND t.hash = ANY ($2) ORDER BY t.hash, l.log_index"#,
        chain,
        &hashes
    )
    .fetch_all(pool)
    .await?;
    let (mut states, mut due) = (States::default(), DueSenders::new());
    for row in rows {
        if row.is_due {
            due.insert(read("transactions.sender", &row.sender)?);
        }
        states.add(chain, row)?;
    }
    Ok((states, due))
}

/// The state of each pooled or mined hash, and the tokens that it touches.
#[derive(Debug, Default)]
pub(super) struct States(HashMap<B256, (Lookup, Vec<Address>)>);

impl States {
    /// In the order asked.
    pub(super) fn of(&self, hashes: &[B256]) -> Vec<Lookup> {
        let state = |hash: &B256| self.0.get(hash).map(|(state, _)| state.clone());
        hashes
            .iter()
            .map(|hash| state(hash).unwrap_or(Lookup::Absent))
            .collect()
    }

    /// The tokens that these touch.
    pub(super) fn tokens(&self, hashes: &[B256]) -> Vec<Address> {
        let found = hashes.iter().filter_map(|hash| self.0.get(hash));
        found.flat_map(|(_, tokens)| tokens.iter().copied()).collect()
    }

    fn add(&mut self, chain: &str, row: StateRow) -> Result<(), PaperError> {
        let (hash, log) = (hash("transactions.hash", &row.hash)?, row.transfer()?);
        if let Some((Lookup::Mined(receipt), _)) = self.0.get_mut(&hash) {
            receipt.transfers.extend(log);
            return Ok(());
        }
        let state = match row.status.as_str() {
            "pooled" => Lookup::Pooled,
            "mined" | "reverted" => Lookup::Mined(receipt(chain, &row, log)?),
            _ => Lookup::Absent,
        };
        let tokens = [&row.token_in, &row.token_out].into_iter().flatten();
        let tokens = tokens.map(|token| read("transactions.token", token));
        self.0.insert(hash, (state, tokens.collect::<Result<_, _>>()?));
        Ok(())
    }
}

/// A transaction with one of its logs.
struct StateRow {
    hash: Vec<u8>,
    status: String,
    block_number: Option<i64>,
    block_time: Option<Timestamp>,
    gas: Option<String>,
    sender: String,
    token_in: Option<String>,
    token_out: Option<String>,
    is_due: bool,
    token: Option<String>,
    from: Option<String>,
    to: Option<String>,
    amount: Option<String>,
}

impl StateRow {
    fn transfer(&self) -> Result<Option<Transfer>, PaperError> {
        let (Some(token), Some(from), Some(to), Some(amount)) =
            (&self.token, &self.from, &self.to, &self.amount)
        else {
            return Ok(None);
        };
        Ok(Some(Transfer {
            token: read("transfers.token", token)?,
            from: read("transfers.from_address", from)?,
            to: read("transfers.to_address", to)?,
            amount: read("transfers.amount", amount)?,
        }))
    }
}

fn receipt(chain: &str, row: &StateRow, log: Option<Transfer>) -> Result<Receipt, PaperError> {
    let block_number = unsigned("transactions.block_number", row.block_number.unwrap_or_default())?;
    Ok(Receipt {
        success: row.status == "mined",
        block_number,
        block_hash: block_hash(chain, block_number),
        block_time: row.block_time.unwrap_or_default(),
        gas_native: read("transactions.gas_native", row.gas.as_deref().unwrap_or_default())?,
        transfers: log.into_iter().collect(),
    })
}
