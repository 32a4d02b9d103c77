//! The paper chain: sends, lookups and everything else a node answers.

use std::{sync::Arc, time::Duration};

use alloy_primitives::{Address, B256, Bytes};
use async_trait::async_trait;

use super::{
    admit::{Admissible, Sending},
    clock::block_hash,
    error::{PaperError, hash, text, unsigned},
    faults::FaultKind,
    gauge::Reading,
    mine::catch_up,
    node::Node,
    reads::Wanted,
};
use crate::{
    domain::{
        onchain::{Asset, Fees, Head, Lookup, NonceUse, Nonces, Sent, UsdPrice},
        span::Span,
        trade::Patience,
        units::{Amount, Price},
    },
    ports::{Chain, RpcError, SendError},
};

/// One chain of the paper ledger. Its wallet must have been opened once (see [`super::PaperMarkets`]).
#[derive(Debug, Clone)]
pub struct PaperChain {
    node: Arc<Node>,
}

impl PaperChain {
    /// The chain of `node`.
    pub(super) const fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    async fn up(&self) -> Result<Reading, RpcError> {
        self.node.up(&[]).await.map_err(PaperError::into_rpc)
    }

    async fn read_nonces(&self, signer: Address) -> Result<Nonces, RpcError> {
        self.up().await?;
        let Some(counted) = self.node.nonces(signer).await? else {
            return Ok(Nonces {
                latest: 0,
                pending: 0,
            });
        };
        // A gap ends what will be mined without further transactions.
        let without_gap = counted
            .pooled
            .iter()
            .zip(counted.nonce..)
            .take_while(|(pooled, next)| *pooled == next);
        let latest = unsigned("wallets.nonce", counted.nonce).map_err(PaperError::into_rpc)?;
        let pooled = u64::try_from(without_gap.count()).unwrap_or(u64::MAX);
        Ok(Nonces {
            latest,
            pending: latest.saturating_add(pooled),
        })
    }

    async fn read_nonce_use(&self, signer: Address, nonce: u64) -> Result<Option<NonceUse>, PaperError> {
        self.node.up(&[]).await?;
        let (pool, chain) = (self.node.pool(), self.node.name());
        catch_up(pool, chain, &[signer]).await?;
        let row = sqlx::query!(
            r#"SELECT hash, block_number AS "block_number!" FROM paper.transactions
               WHERE chain = $1 AND sender = $2 AND nonce = $3 AND block_number IS NOT NULL"#,
            chain,
            text(signer),
            super::error::to_i64("transactions.nonce", nonce)?
        )
        .fetch_optional(pool)
        .await?;
        row.map(|row| {
            let block_number = unsigned("transactions.block_number", row.block_number)?;
            Ok(NonceUse {
                hash: hash("transactions.hash", &row.hash)?,
                block_number,
                block_hash: block_hash(chain, block_number),
            })
        })
        .transpose()
    }

    /// The answer and its delay.
    async fn take(&self, raw: &Bytes) -> Result<(Sent, Option<Duration>), SendError> {
        let node = &self.node;
        let admissible = Admissible::check(raw, node.name(), node.settings());
        let tokens = admissible
            .as_ref()
            .map_or_else(|_| Vec::new(), Admissible::tokens);
        let reading = node.up(&tokens).await?;
        let armed = reading.armed(node.name());
        let sending = Sending {
            admissible: admissible?,
            raw: raw.clone(),
        };
        if armed.is_none() {
            return Ok((node.take(sending).await?, None));
        }
        let answer = node.admit(&[Arc::new(sending)], &armed).await?.pop();
        let mut conn = node.pool().acquire().await.map_err(PaperError::from)?;
        let late = armed.strike(&mut conn, FaultKind::Late, &tokens).await?;
        let sent = answer.unwrap_or_else(|| Err(no_answer("the venue gave no answer")))?;
        if armed.strike(&mut conn, FaultKind::Lost, &tokens).await?.is_some() {
            return Err(no_answer("the answer was lost on order"));
        }
        Ok((sent, late))
    }

    async fn look_up(&self, hashes: &[B256]) -> Result<(Vec<Lookup>, Option<Duration>), RpcError> {
        let late = self.delay(hashes).await.map_err(PaperError::into_rpc)?;
        Ok((self.node.states(hashes).await?, late))
    }

    /// How late the answer to a lookup comes; fails if the node is down.
    async fn delay(&self, hashes: &[B256]) -> Result<Option<Duration>, PaperError> {
        let reading = self.node.read().await?;
        let armed = reading.armed(self.node.name());
        if armed.is_none() {
            return Ok(None);
        }
        let tokens = self.node.tokens_of(hashes).await?;
        let mut conn = self.node.pool().acquire().await?;
        armed.refuse_if_down(&mut conn, &tokens).await?;
        armed.strike(&mut conn, FaultKind::Late, &tokens).await
    }
}

fn no_answer(detail: &str) -> SendError {
    SendError::Ambiguous(RpcError {
        endpoint: "paper".into(),
        detail: detail.into(),
    })
}

#[async_trait]
impl Chain for PaperChain {
    async fn head(&self) -> Result<Head, RpcError> {
        let Reading { clock, now, .. } = self.up().await?;
        let number = clock.number_at(now);
        Ok(Head {
            number,
            time: clock.time_of(number),
        })
    }

    async fn nonces(&self, signer: Address) -> Result<Nonces, RpcError> {
        self.read_nonces(signer).await
    }

    async fn balances(&self, wallet: Address, assets: &[Asset]) -> Result<Vec<Amount>, RpcError> {
        self.up().await?;
        let assets = assets.to_vec();
        self.node.balances(Wanted { wallet, assets }).await
    }

    async fn fees(&self) -> Result<Fees, RpcError> {
        self.up().await?;
        Ok(self.node.settings().fees())
    }

    /// Every payment token is a dollar here.
    async fn usd_price(&self, asset: Asset) -> Result<UsdPrice, RpcError> {
        let at = self.head().await?.time;
        let (price, source) = match asset {
            Asset::Native => (self.node.settings().native_price_usd, "paper"),
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
            Err(error) => hashes.iter().map(|_| Err(error.clone())).collect(),
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
        self.node.settings().patience()
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
