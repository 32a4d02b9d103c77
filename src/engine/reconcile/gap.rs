//! A counter that is ahead of the chain by nonces that were never assigned.

use alloy_primitives::B256;
use serde_json::json;

use super::Remedy;
use crate::{
    domain::{ids::TradeId, onchain::Lookup, trade::TradeStatus},
    engine::{core::Engine, error::EngineError},
    store::{
        endings::{self, TradeFailure},
        gaps::{self, Stranded},
        jobs::CommandError,
        repairs::SignerRow,
        trades,
    },
};

/// A gap smaller than this can be filled; behind a larger one nothing is ever mined.
const GAP_MIN: u64 = 1_000;

impl Engine {
    /// The remedy for nonces that were counted and never assigned; `None`: there are none.
    pub(super) async fn gap_remedy(
        &self,
        row: &SignerRow,
        chain: &Result<u64, String>,
    ) -> Result<Option<Remedy>, EngineError> {
        let Ok(chain) = *chain else { return Ok(None) };
        if chain >= row.next_nonce || gaps::unexplained(&self.pool, &row.account, chain).await? == 0 {
            return Ok(None);
        }
        let stranded = gaps::stranded(&self.pool, &row.account, chain).await?;
        if let Some(why) = self.not_yet(row, chain, &stranded).await? {
            return Ok(Some(Remedy::Not(why)));
        }
        let mut open: Vec<TradeId> = stranded.iter().filter_map(|stranded| stranded.trade).collect();
        open.retain(|trade| row.open_trades.contains(trade));
        open.dedup();
        Ok(Some(Remedy::TakeBack {
            to: chain,
            trades: open,
            hashes: gaps::hashes(&stranded),
        }))
    }

    async fn not_yet(
        &self,
        row: &SignerRow,
        chain: u64,
        stranded: &[Stranded],
    ) -> Result<Option<String>, EngineError> {
        let carried_on = |trade: &&TradeId| !stranded.iter().any(|stranded| stranded.trade == Some(**trade));
        if let Some(open) = row.open_trades.iter().find(carried_on) {
            return Ok(Some(format!(
                "trade {open} is open: it is carried on; run this again when it is final"
            )));
        }
        if let Some(first) = stranded.first()
            && first.nonce.saturating_sub(chain) < GAP_MIN
        {
            return Ok(Some(format!(
                "nonces {chain} to {} were never used: send the wallet itself one transaction of nothing for each of them, \
                 with another program; then run this again",
                first.nonce.saturating_sub(1)
            )));
        }
        if let Some(young) = stranded.iter().find(|stranded| !stranded.past_deadline) {
            return Ok(Some(format!(
                "the deadline of the transaction with nonce {} has not passed; run this again in a few minutes",
                young.nonce
            )));
        }
        let market = self.markets.market(&row.account).await?;
        let signed: Vec<_> = stranded
            .iter()
            .flat_map(|stranded| stranded.signed.clone())
            .collect();
        for (signed, answer) in signed.iter().zip(market.chain.lookup_signed(&signed).await) {
            match answer {
                // A node may keep it in its pool: behind such a gap it is never mined.
                Ok(Lookup::Absent | Lookup::Pooled) => {}
                Ok(Lookup::Mined(receipt)) => {
                    return Ok(Some(format!(
                        "transaction {} is in block {}: the chain's nonce is not what the nodes say",
                        signed.hash, receipt.block_number
                    )));
                }
                Err(error) => return Ok(Some(error.to_string())),
            }
        }
        Ok(None)
    }

    /// Fails the trades behind the gap and resets the counter; returns what was done.
    pub(super) async fn take_back(
        &self,
        row: &SignerRow,
        to: u64,
        (open, hashes): (&[TradeId], &[B256]),
        actor: &str,
    ) -> Result<String, CommandError> {
        let wallet = row.account.wallet;
        let changed = format!("signer {wallet}: it has changed meanwhile; run reconcile again");
        for id in open {
            let trade = trades::load(&self.pool, *id).await?;
            if trade.state.status != TradeStatus::Submitted {
                return Ok(changed);
            }
            let failure = TradeFailure::unsent(format!(
                "its nonce was never on chain and was reset: the chain's next one is {to}"
            ));
            endings::commit_failure(&self.pool, &trade, &failure, self.settings.pipeline_max).await?;
        }
        let evidence = json!({ "chain_nonce": to, "in_no_block": hashes, "trades": open });
        Ok(if gaps::take_back(&self.pool, row, to, &evidence, actor).await? {
            format!("signer {wallet}: nonces {to} and up were never on chain and are reset")
        } else {
            changed
        })
    }
}
