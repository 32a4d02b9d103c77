//! The paper chain: sends, lookups and everything else a node answers.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use alloy_primitives::{Address, B256, Bytes};
use async_trait::async_trait;
use sqlx::PgPool;

use super::{
    admit::Admissible,
    clock::block_hash,
    error::{PaperError, hash, read, text, unsigned},
    faults::FaultKind,
    gauge::{Gauge, Reading},
    mine::{catch_up, mine_for},
    settings::PaperSettings,
};
use crate::store::session::begin;
use crate::{
    domain::{
        Timestamp,
        onchain::{Asset, Fees, Head, Lookup, NonceUse, Nonces, Receipt, Sent, Transfer, UsdPrice},
        span::Span,
        trade::Patience,
        units::{Amount, Price},
    },
    ports::{Chain, RpcError, SendError},
};

/// One chain of the paper ledger. Its wallet must have been opened once (see [`super::PaperMarkets`]).
#[derive(Debug, Clone)]
pub struct PaperChain {
    pool: PgPool,
    name: String,
    settings: PaperSettings,
    gauge: Arc<Gauge>,
}

impl PaperChain {
    /// The chain called `name`.
    pub(super) fn new(pool: PgPool, name: &str, settings: PaperSettings, gauge: Arc<Gauge>) -> Self {
        Self {
            pool,
            name: name.to_owned(),
            settings,
            gauge,
        }
    }

    /// What every call asks first; fails if the node is down.
    async fn up(&self, tokens: &[Address]) -> Result<Reading, PaperError> {
        let reading = self.gauge.read().await?;
        let armed = reading.armed(&self.name);
        if !armed.is_none() {
            let mut conn = self.pool.acquire().await?;
            armed.refuse_if_down(&mut conn, tokens).await?;
        }
        Ok(reading)
    }

    async fn read_head(&self) -> Result<Head, PaperError> {
        let Reading { clock, now, .. } = self.up(&[]).await?;
        let number = clock.number_at(now);
        Ok(Head {
            number,
            time: clock.time_of(number),
        })
    }

    async fn read_nonces(&self, signer: Address) -> Result<Nonces, PaperError> {
        self.up(&[]).await?;
        let Some(mut counted) = self.count_nonces(signer).await? else {
            return Ok(Nonces {
                latest: 0,
                pending: 0,
            });
        };
        if counted.is_due {
            mine_for(&self.pool, &self.name, signer).await?;
            counted = self.count_nonces(signer).await?.unwrap_or(counted);
        }
        // A gap ends what will be mined without further transactions.
        let without_gap = counted
            .pooled
            .iter()
            .zip(counted.nonce..)
            .take_while(|(pooled, next)| *pooled == next);
        let latest = unsigned("wallets.nonce", counted.nonce)?;
        let pooled = u64::try_from(without_gap.count()).unwrap_or(u64::MAX);
        Ok(Nonces {
            latest,
            pending: latest.saturating_add(pooled),
        })
    }

    async fn count_nonces(&self, signer: Address) -> Result<Option<Counted>, PaperError> {
        // One statement, so that nothing is mined between the two counts.
        let counted = sqlx::query_as!(
            Counted,
            r#"SELECT w.nonce,
                      array(SELECT t.nonce FROM paper.transactions t
                            WHERE t.chain = w.chain AND t.sender = w.address AND t.nonce >= w.nonce AND t.status = 'pooled'
                            ORDER BY t.nonce) AS "pooled!",
                      EXISTS (SELECT FROM paper.transactions t
                              WHERE t.chain = w.chain AND t.sender = w.address AND t.nonce = w.nonce
                                AND t.status = 'pooled' AND t.mine_after IS NOT NULL
                                AND greatest(t.mine_after, w.next_block_at) <= clock_timestamp()) AS "is_due!"
               FROM paper.wallets w WHERE w.chain = $1 AND w.address = $2"#,
            self.name,
            text(signer)
        );
        Ok(counted.fetch_optional(&self.pool).await?)
    }

    async fn read_balances(&self, wallet: Address, assets: &[Asset]) -> Result<Vec<Amount>, PaperError> {
        self.up(&[]).await?;
        let (mut held, is_due) = self.held(wallet, assets).await?;
        if is_due {
            mine_for(&self.pool, &self.name, wallet).await?;
            held = self.held(wallet, assets).await?.0;
        }
        Ok(assets
            .iter()
            .map(|asset| held.get(asset).copied().unwrap_or(Amount::ZERO))
            .collect())
    }

    /// Balances, and whether something is due that may change them.
    async fn held(
        &self,
        wallet: Address,
        assets: &[Asset],
    ) -> Result<(HashMap<Asset, Amount>, bool), PaperError> {
        let names: Vec<_> = assets.iter().copied().map(|asset| asset.to_string()).collect();
        let rows = sqlx::query!(
            r#"SELECT b.asset AS "asset?", b.amount::text AS "amount?", one.is_due AS "is_due!"
               FROM (SELECT EXISTS (
                         SELECT FROM paper.wallets w
                         JOIN paper.transactions t ON t.chain = w.chain AND t.sender = w.address AND t.nonce = w.nonce
                         WHERE w.chain = $1 AND w.address = $2 AND t.status = 'pooled' AND t.mine_after IS NOT NULL
                           AND greatest(t.mine_after, w.next_block_at) <= clock_timestamp()) AS is_due) AS one
               LEFT JOIN paper.balances b ON b.chain = $1 AND b.address = $2 AND b.asset = ANY ($3)"#,
            self.name,
            text(wallet),
            &names
        )
        .fetch_all(&self.pool)
        .await?;
        let (mut held, mut due) = (HashMap::new(), false);
        for row in rows {
            due |= row.is_due;
            if let (Some(asset), Some(amount)) = (row.asset, row.amount) {
                held.insert(read("balances.asset", &asset)?, read("balances.amount", &amount)?);
            }
        }
        Ok((held, due))
    }

    async fn read_nonce_use(&self, signer: Address, nonce: u64) -> Result<Option<NonceUse>, PaperError> {
        self.up(&[]).await?;
        let conn = self.pool.acquire().await?;
        let mut conn = catch_up(&self.pool, conn, &self.name, &[signer]).await?;
        let row = sqlx::query!(
            r#"SELECT hash, block_number AS "block_number!" FROM paper.transactions
               WHERE chain = $1 AND sender = $2 AND nonce = $3 AND block_number IS NOT NULL"#,
            self.name,
            text(signer),
            super::error::to_i64("transactions.nonce", nonce)?
        )
        .fetch_optional(&mut *conn)
        .await?;
        row.map(|row| {
            let block_number = unsigned("transactions.block_number", row.block_number)?;
            Ok(NonceUse {
                hash: hash("transactions.hash", &row.hash)?,
                block_number,
                block_hash: block_hash(&self.name, block_number),
            })
        })
        .transpose()
    }

    /// The answer and its delay.
    async fn take(&self, raw: &Bytes) -> Result<(Sent, Option<Duration>), SendError> {
        let admissible = Admissible::check(raw, &self.name, &self.settings);
        let tokens = admissible
            .as_ref()
            .map_or_else(|_| Vec::new(), Admissible::tokens);
        let reading = self.up(&tokens).await?;
        let armed = reading.armed(&self.name);
        let admissible = admissible?;
        let mut transaction = begin(&self.pool).await.map_err(PaperError::from)?;
        let answer = admissible
            .admit(&mut transaction, raw, &armed, &self.settings)
            .await;
        transaction.commit().await.map_err(PaperError::from)?;
        if armed.is_none() {
            return Ok((answer?, None));
        }
        let mut conn = self.pool.acquire().await.map_err(PaperError::from)?;
        let late = armed.strike(&mut conn, FaultKind::Late, &tokens).await?;
        let sent = answer?;
        if armed.strike(&mut conn, FaultKind::Lost, &tokens).await?.is_some() {
            return Err(SendError::Ambiguous(RpcError {
                endpoint: "paper".into(),
                detail: "the answer was lost on order".into(),
            }));
        }
        Ok((sent, late))
    }

    async fn look_up(&self, hashes: &[B256]) -> Result<(Vec<Lookup>, Option<Duration>), PaperError> {
        let reading = self.gauge.read().await?;
        let armed = reading.armed(&self.name);
        let mut found = self.states(hashes).await?;
        let mut late = None;
        if !armed.is_none() {
            let mut conn = self.pool.acquire().await?;
            armed.refuse_if_down(&mut conn, &found.tokens).await?;
            late = armed.strike(&mut conn, FaultKind::Late, &found.tokens).await?;
        }
        if !found.due.is_empty() {
            for sender in found.due {
                mine_for(&self.pool, &self.name, sender).await?;
            }
            found = self.states(hashes).await?;
        }
        let lookups = hashes
            .iter()
            .map(|hash| found.states.get(hash).cloned().unwrap_or(Lookup::Absent));
        Ok((lookups.collect(), late))
    }

    /// What is known of some hashes, whatever their outcome.
    async fn states(&self, hashes: &[B256]) -> Result<Found, PaperError> {
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
            self.name,
            &bytes(hashes)
        )
        .fetch_all(&self.pool)
        .await?;
        let mut found = Found::default();
        for row in rows {
            found.add(&self.name, row)?;
        }
        Ok(found)
    }
}

#[async_trait]
impl Chain for PaperChain {
    async fn head(&self) -> Result<Head, RpcError> {
        self.read_head().await.map_err(PaperError::into_rpc)
    }

    async fn nonces(&self, signer: Address) -> Result<Nonces, RpcError> {
        self.read_nonces(signer).await.map_err(PaperError::into_rpc)
    }

    async fn balances(&self, wallet: Address, assets: &[Asset]) -> Result<Vec<Amount>, RpcError> {
        self.read_balances(wallet, assets)
            .await
            .map_err(PaperError::into_rpc)
    }

    async fn fees(&self) -> Result<Fees, RpcError> {
        self.up(&[]).await.map_err(PaperError::into_rpc)?;
        Ok(self.settings.fees())
    }

    /// Every payment token is a dollar here.
    async fn usd_price(&self, asset: Asset) -> Result<UsdPrice, RpcError> {
        let at = self.head().await?.time;
        let (price, source) = match asset {
            Asset::Native => (self.settings.native_price_usd, "paper"),
            Asset::Token(_) => (Price::ONE, "par"),
        };
        Ok(UsdPrice { price, source, at })
    }

    /// Prices of payment tokens are settings, constant over time.
    async fn usd_price_at(&self, asset: Asset, _block: u64) -> Result<UsdPrice, RpcError> {
        self.usd_price(asset).await
    }

    async fn send(&self, raw: &Bytes) -> Result<Sent, SendError> {
        let (sent, late) = self.take(raw).await?;
        sleep(late).await;
        Ok(sent)
    }

    async fn lookup(&self, hashes: &[B256]) -> Vec<Result<Lookup, RpcError>> {
        match self.look_up(hashes).await {
            Ok((lookups, late)) => {
                sleep(late).await;
                lookups.into_iter().map(Ok).collect()
            }
            Err(error) => {
                let error = error.into_rpc();
                hashes.iter().map(|_| Err(error.clone())).collect()
            }
        }
    }

    async fn nonce_use(&self, signer: Address, nonce: u64) -> Result<Option<NonceUse>, RpcError> {
        self.read_nonce_use(signer, nonce)
            .await
            .map_err(PaperError::into_rpc)
    }

    /// There are no reorgs here.
    async fn finalized(&self) -> Result<u64, RpcError> {
        Ok(self.head().await?.number)
    }

    fn patience(&self) -> Patience {
        self.settings.patience()
    }

    /// Blocks are made when they are asked for.
    fn max_head_age(&self) -> Span {
        Span::from_secs(24 * 3_600)
    }
}

async fn sleep(late: Option<Duration>) {
    if let Some(late) = late {
        tokio::time::sleep(late).await;
    }
}

/// The next nonce to mine and those in the pool.
struct Counted {
    nonce: i64,
    pooled: Vec<i64>,
    /// The first of them is to be mined.
    is_due: bool,
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

/// The state of each pooled or mined hash, the tokens that they touch, and senders for whom something is to be mined.
#[derive(Default)]
struct Found {
    states: HashMap<B256, Lookup>,
    tokens: Vec<Address>,
    due: HashSet<Address>,
}

impl Found {
    fn add(&mut self, chain: &str, row: StateRow) -> Result<(), PaperError> {
        if row.is_due {
            self.due.insert(read("transactions.sender", &row.sender)?);
        }
        for token in [&row.token_in, &row.token_out].into_iter().flatten() {
            self.tokens.push(read("transactions.token", token)?);
        }
        let (hash, log) = (hash("transactions.hash", &row.hash)?, row.transfer()?);
        match row.status.as_str() {
            "pooled" => {
                self.states.insert(hash, Lookup::Pooled);
            }
            "mined" | "reverted" => {
                if let Some(Lookup::Mined(receipt)) = self.states.get_mut(&hash) {
                    receipt.transfers.extend(log);
                } else {
                    let receipt = receipt(chain, &row, log)?;
                    self.states.insert(hash, Lookup::Mined(receipt));
                }
            }
            _ => {}
        }
        Ok(())
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

fn bytes(hashes: &[B256]) -> Vec<Vec<u8>> {
    hashes.iter().map(|hash| hash.to_vec()).collect()
}
