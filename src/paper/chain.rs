//! The paper chain: sends, lookups and everything else a node answers.

use std::{collections::HashMap, time::Duration};

use alloy_primitives::{Address, B256, Bytes};
use async_trait::async_trait;
use sqlx::{PgConnection, PgPool};

use super::{
    admit::Admissible,
    clock::{BlockClock, block_hash},
    error::{PaperError, hash, read, text, unsigned},
    faults::{Armed, FaultKind, refuse_if_down},
    mine::{self, catch_up},
    settings::PaperSettings,
};
use crate::store::session::begin;
use crate::{
    domain::{
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
}

impl PaperChain {
    /// The chain called `name`.
    #[must_use]
    pub fn new(pool: PgPool, name: &str, settings: PaperSettings) -> Self {
        Self {
            pool,
            name: name.to_owned(),
            settings,
        }
    }

    async fn read_head(&self) -> Result<Head, PaperError> {
        let mut conn = self.pool.acquire().await?;
        refuse_if_down(&mut conn, &self.name, &[]).await?;
        let row = sqlx::query!(
            r#"SELECT genesis, block_millis, clock_timestamp() AS "now!" FROM paper.chains WHERE name = $1"#,
            self.name
        )
        .fetch_one(&mut *conn)
        .await?;
        let clock = BlockClock::new(row.genesis, row.block_millis);
        let number = clock.number_at(row.now);
        Ok(Head {
            number,
            time: clock.time_of(number),
        })
    }

    async fn read_nonces(&self, signer: Address) -> Result<Nonces, PaperError> {
        let mut conn = self.pool.acquire().await?;
        refuse_if_down(&mut conn, &self.name, &[]).await?;
        let mut conn = catch_up(&self.pool, conn, &self.name, &[signer]).await?;
        // One statement, so that nothing is mined between the two counts.
        let row = sqlx::query!(
            r#"SELECT w.nonce,
                      array(SELECT t.nonce FROM paper.transactions t
                            WHERE t.chain = w.chain AND t.sender = w.address AND t.nonce >= w.nonce AND t.status = 'pooled'
                            ORDER BY t.nonce) AS "pooled!"
               FROM paper.wallets w WHERE w.chain = $1 AND w.address = $2"#,
            self.name,
            text(signer)
        )
        .fetch_optional(&mut *conn)
        .await?;
        let Some(row) = row else {
            return Ok(Nonces {
                latest: 0,
                pending: 0,
            });
        };
        // A gap ends what will be mined without further transactions.
        let without_gap = row
            .pooled
            .iter()
            .zip(row.nonce..)
            .take_while(|(pooled, next)| *pooled == next);
        let latest = unsigned("wallets.nonce", row.nonce)?;
        let pooled = u64::try_from(without_gap.count()).unwrap_or(u64::MAX);
        Ok(Nonces {
            latest,
            pending: latest.saturating_add(pooled),
        })
    }

    async fn read_balances(&self, wallet: Address, assets: &[Asset]) -> Result<Vec<Amount>, PaperError> {
        let mut conn = self.pool.acquire().await?;
        refuse_if_down(&mut conn, &self.name, &[]).await?;
        let mut conn = catch_up(&self.pool, conn, &self.name, &[wallet]).await?;
        let held = mine::balances(&mut conn, &self.name, wallet, assets).await?;
        Ok(assets
            .iter()
            .map(|asset| held.get(asset).copied().unwrap_or(Amount::ZERO))
            .collect())
    }

    async fn read_nonce_use(&self, signer: Address, nonce: u64) -> Result<Option<NonceUse>, PaperError> {
        let mut conn = self.pool.acquire().await?;
        refuse_if_down(&mut conn, &self.name, &[]).await?;
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

    async fn refuse_if_down(&self) -> Result<(), RpcError> {
        let check = async {
            let mut conn = self.pool.acquire().await?;
            refuse_if_down(&mut conn, &self.name, &[]).await
        };
        check.await.map_err(PaperError::into_rpc)
    }

    /// The answer and its delay.
    async fn take(&self, raw: &Bytes) -> Result<(Sent, Option<Duration>), SendError> {
        let mut conn = self.pool.acquire().await.map_err(PaperError::from)?;
        let armed = Armed::load(&mut conn, &self.name).await?;
        let admissible = Admissible::check(raw, &self.name, &self.settings);
        let tokens = admissible
            .as_ref()
            .map_or_else(|_| Vec::new(), Admissible::tokens);
        armed.refuse_if_down(&mut conn, &tokens).await?;
        let admissible = admissible?;
        drop(conn);
        let mut transaction = begin(&self.pool).await.map_err(PaperError::from)?;
        let answer = admissible
            .admit(&mut transaction, raw, &armed, &self.settings)
            .await;
        transaction.commit().await.map_err(PaperError::from)?;
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
        let mut conn = self.pool.acquire().await?;
        let armed = Armed::load(&mut conn, &self.name).await?;
        let touched = touched(&mut conn, &self.name, hashes).await?;
        armed.refuse_if_down(&mut conn, &touched.tokens).await?;
        let late = armed.strike(&mut conn, FaultKind::Late, &touched.tokens).await?;
        let mut conn = catch_up(&self.pool, conn, &self.name, &touched.senders).await?;
        let known = states(&mut conn, &self.name, hashes).await?;
        let lookups = hashes
            .iter()
            .map(|hash| known.get(hash).cloned().unwrap_or(Lookup::Absent));
        Ok((lookups.collect(), late))
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
        self.refuse_if_down().await?;
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

/// Senders and tokens of some hashes.
struct Touched {
    senders: Vec<Address>,
    tokens: Vec<Address>,
}

async fn touched(conn: &mut PgConnection, chain: &str, hashes: &[B256]) -> Result<Touched, PaperError> {
    let rows = sqlx::query!(
        "SELECT DISTINCT sender, token_in, token_out FROM paper.transactions WHERE chain = $1 AND hash = ANY($2)",
        chain,
        &bytes(hashes)
    )
    .fetch_all(conn)
    .await?;
    let mut touched = Touched {
        senders: Vec::new(),
        tokens: Vec::new(),
    };
    for row in rows {
        touched.senders.push(read("transactions.sender", &row.sender)?);
        for token in [row.token_in, row.token_out].into_iter().flatten() {
            touched.tokens.push(read("transactions.token", &token)?);
        }
    }
    Ok(touched)
}

/// The state of each pooled or mined hash.
async fn states(
    conn: &mut PgConnection,
    chain: &str,
    hashes: &[B256],
) -> Result<HashMap<B256, Lookup>, PaperError> {
    let rows = sqlx::query!(
        r#"SELECT hash, status, block_number, block_time, gas_native::text
           FROM paper.transactions
           WHERE chain = $1 AND hash = ANY($2) AND status IN ('pooled', 'mined', 'reverted')"#,
        chain,
        &bytes(hashes)
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut logs = transfers(conn, hashes).await?;
    rows.into_iter()
        .map(|row| {
            let hash = hash("transactions.hash", &row.hash)?;
            let (Some(number), Some(block_time), Some(gas)) =
                (row.block_number, row.block_time, row.gas_native)
            else {
                return Ok((hash, Lookup::Pooled));
            };
            let block_number = unsigned("transactions.block_number", number)?;
            let receipt = Receipt {
                success: row.status == "mined",
                block_number,
                block_hash: block_hash(chain, block_number),
                block_time,
                gas_native: read("transactions.gas_native", &gas)?,
                transfers: logs.remove(&hash).unwrap_or_default(),
            };
            Ok((hash, Lookup::Mined(receipt)))
        })
        .collect()
}

async fn transfers(
    conn: &mut PgConnection,
    hashes: &[B256],
) -> Result<HashMap<B256, Vec<Transfer>>, PaperError> {
    let rows = sqlx::query!(
        r#"SELECT tx_hash, token, from_address, to_address, amount::text AS "amount!"
           FROM paper.transfers WHERE tx_hash = ANY($1) ORDER BY tx_hash, log_index"#,
        &bytes(hashes)
    )
    .fetch_all(conn)
    .await?;
    let mut logs: HashMap<B256, Vec<Transfer>> = HashMap::new();
    for row in rows {
        let transfer = Transfer {
            token: read("transfers.token", &row.token)?,
            from: read("transfers.from_address", &row.from_address)?,
            to: read("transfers.to_address", &row.to_address)?,
            amount: read("transfers.amount", &row.amount)?,
        };
        logs.entry(hash("transfers.tx_hash", &row.tx_hash)?)
            .or_default()
            .push(transfer);
    }
    Ok(logs)
}

fn bytes(hashes: &[B256]) -> Vec<Vec<u8>> {
    hashes.iter().map(|hash| hash.to_vec()).collect()
}
