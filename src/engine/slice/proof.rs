//! Whether a receipt may be booked: it must agree with the calldata and with the balances before and after its block.

use metrics::counter;

use crate::engine::{core::Engine, error::EngineError, progress::Progress};
use crate::{
    domain::{
        decision::Side,
        onchain::{Around, Asset, Receipt},
        units::Amount,
    },
    ports::Market,
    store::{jobs::Job, trades::Trade},
    telemetry::{job_line, metric},
};

/// A trade with a doubtful receipt is checked again after this many check intervals.
const DOUBT_INTERVALS: u32 = 5;
/// Confirmations after which the outcome of a single node counts without other proof and without a final block.
const BURIED_DEPTH: u64 = 64;
/// Logs and balances may differ by one part in this many, since some tokens round.
const TOLERANCE_PARTS: u64 = 100;

/// How far a receipt of a single node is proven.
#[derive(Debug, PartialEq, Eq)]
enum Worth {
    /// It agrees with the balances around the block.
    Proven,
    /// No evidence for or against it; it counts once its block is final.
    Unproven(String),
    /// It contradicts the calldata or the balances.
    Impossible(String),
}

impl Engine {
    /// Checks whether a fill may be booked. `Some`: not yet; the trade stays open with a note.
    pub(in crate::engine) async fn doubt_fill(
        &self,
        (job, trade): (&Job, &Trade),
        market: &Market,
        receipt: &Receipt,
        (base, quote): (Amount, Amount),
    ) -> Result<Option<Progress>, EngineError> {
        if let Some(why) = outside_calldata(trade, base, quote) {
            return self.stays_open(job, trade, &why).await.map(Some);
        }
        let token = Asset::of(job.token.address);
        let block = receipt.block_number;
        let around = market
            .chain
            .balance_around(job.account.wallet, token, block)
            .await?;
        self.weigh(job, trade, market, block, worth_of_fill(trade.side, base, around))
            .await
    }

    /// The same for a failure whose receipt is in `block`.
    pub(in crate::engine) async fn doubt_failure(
        &self,
        (job, trade): (&Job, &Trade),
        market: &Market,
        block: u64,
    ) -> Result<Option<Progress>, EngineError> {
        let token = Asset::of(job.token.address);
        let around = market
            .chain
            .balance_around(job.account.wallet, token, block)
            .await?;
        self.weigh(job, trade, market, block, worth_of_failure(trade, around))
            .await
    }

    async fn weigh(
        &self,
        job: &Job,
        trade: &Trade,
        market: &Market,
        block: u64,
        worth: Worth,
    ) -> Result<Option<Progress>, EngineError> {
        match worth {
            Worth::Proven => Ok(None),
            Worth::Unproven(why) => {
                if is_final(market, block).await? {
                    return Ok(None);
                }
                let note = format!("unproven: {why}; it counts once block {block} is final");
                self.look_later(trade.id, DOUBT_INTERVALS, Some(&note))
                    .await
                    .map(Some)
            }
            Worth::Impossible(why) => self.stays_open(job, trade, &why).await.map(Some),
        }
    }

    /// Logs an impossible receipt and checks again later: the node may recover, or be replaced.
    pub(in crate::engine) async fn stays_open(
        &self,
        job: &Job,
        trade: &Trade,
        why: &str,
    ) -> Result<Progress, EngineError> {
        let note = format!(
            "{why}: nothing is booked; the trade stays open. Compare chains.{}.rpc_urls",
            job.account.chain
        );
        job_line!(
            error,
            job,
            trade = trade.id.0,
            why,
            "a receipt says what cannot be"
        );
        counter!(metric::RPC_DISAGREEMENTS, "chain" => job.account.chain.clone()).increment(1);
        self.look_later(trade.id, DOUBT_INTERVALS, Some(&note)).await
    }
}

async fn is_final(market: &Market, block: u64) -> Result<bool, EngineError> {
    if market.chain.finalized().await? >= block {
        return Ok(true);
    }
    let head = market.chain.agreed_head().await?.number;
    let depth = head.saturating_add(1).saturating_sub(block);
    let required = market.chain.patience().required_depth;
    Ok(depth >= BURIED_DEPTH.max(required.saturating_mul(2)))
}

/// The calldata spends at most `amount_in` and reverts below `amount_out_min`: a receipt that says otherwise is wrong,
/// by the node or the token.
fn outside_calldata(trade: &Trade, base: Amount, quote: Amount) -> Option<String> {
    let (spent, arrived) = match trade.side {
        Side::Buy => (quote, base),
        Side::Sell => (base, quote),
    };
    if spent > trade.amount_in {
        return Some(format!(
            "the receipt says that {spent} went out, and the calldata allows {}",
            trade.amount_in
        ));
    }
    (arrived < trade.amount_out_min).then(|| {
        format!(
            "the receipt says that {arrived} arrived, and the calldata reverts below {}",
            trade.amount_out_min
        )
    })
}

/// Third parties can only add to a balance: a buy must have brought all that is claimed, and a sell cannot have taken
/// more.
fn worth_of_fill(side: Side, base: Amount, around: Around) -> Worth {
    let (before, after) = match around {
        Around::Agreed => return Worth::Proven,
        Around::Unproven => return Worth::Unproven("the node has no state of that block".to_owned()),
        Around::Seen { before, after } => (before, after),
    };
    let tolerated = Amount::new(base.units() / alloy_primitives::U256::from(TOLERANCE_PARTS));
    let seen = format!("the balance was {before} before its block and {after} after it");
    match side {
        Side::Buy if after.saturating_sub(before) < base.saturating_sub(tolerated) => {
            Worth::Impossible(format!("the receipt says that {base} arrived, but {seen}"))
        }
        Side::Sell if before.saturating_sub(after) > base.checked_add(tolerated).unwrap_or(base) => {
            Worth::Impossible(format!("the receipt says that only {base} went out, but {seen}"))
        }
        Side::Sell if after >= before => {
            Worth::Unproven(format!("the receipt says that {base} went out, but {seen}"))
        }
        Side::Buy | Side::Sell => Worth::Proven,
    }
}

/// A reverted transaction moved nothing of the token.
fn worth_of_failure(trade: &Trade, around: Around) -> Worth {
    let (before, after) = match around {
        Around::Agreed => return Worth::Proven,
        Around::Unproven => return Worth::Unproven("the node has no state of that block".to_owned()),
        Around::Seen { before, after } => (before, after),
    };
    let moved = match trade.side {
        Side::Buy => after.saturating_sub(before) >= trade.amount_out_min,
        Side::Sell => {
            let tolerated =
                Amount::new(trade.amount_in.units() / alloy_primitives::U256::from(TOLERANCE_PARTS));
            before.saturating_sub(after) >= trade.amount_in.saturating_sub(tolerated)
        }
    };
    if moved {
        Worth::Impossible(format!(
            "the receipt says that nothing moved, but the balance was {before} before its block and {after} after it"
        ))
    } else {
        Worth::Proven
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;

    use super::*;

    fn amount(units: u64) -> Amount {
        Amount::new(U256::from(units))
    }

    fn seen(before: u64, after: u64) -> Around {
        Around::Seen {
            before: amount(before),
            after: amount(after),
        }
    }

    #[test]
    fn a_fill_of_one_node_must_show_in_the_balance_and_strangers_cannot_hide_it() {
        let bought = |around| worth_of_fill(Side::Buy, amount(1_000), around);
        assert_eq!(bought(seen(0, 1_000)), Worth::Proven);
        assert_eq!(bought(seen(5, 9_000)), Worth::Proven, "a third party sent more");
        assert_eq!(bought(seen(0, 995)), Worth::Proven, "a token that rounds");
        assert!(matches!(bought(seen(5, 5)), Worth::Impossible(_)));
        assert!(matches!(bought(seen(0, 500)), Worth::Impossible(_)));
        assert!(matches!(bought(Around::Unproven), Worth::Unproven(_)));
        let sold = |around| worth_of_fill(Side::Sell, amount(1_000), around);
        assert_eq!(sold(seen(1_000, 0)), Worth::Proven);
        assert_eq!(
            sold(seen(1_000, 300)),
            Worth::Proven,
            "a third party sent some meanwhile"
        );
        assert!(matches!(sold(seen(5_000, 0)), Worth::Impossible(_)));
        assert!(matches!(sold(seen(1_000, 1_000)), Worth::Unproven(_)));
        assert_eq!(sold(Around::Agreed), Worth::Proven);
    }
}
