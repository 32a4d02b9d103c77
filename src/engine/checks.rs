//! What is checked before anything is signed: the swap, the wallet, the chain's fees and its clock.

use std::collections::HashMap;

use crate::{
    domain::{
        Timestamp,
        costs::{Purse, Quoting, fair_out_parts},
        decision::{HoldReason, Side},
        onchain::{Asset, Checks, Fees, Head, SwapRequest},
        pool::NATIVE,
        price::CLOCK_SKEW_MAX,
        span::Span,
        units::{Amount, MoneyError, Price, Usd},
    },
    ports::{Market, RpcError},
    store::jobs::Job,
};

/// The swap for a plan. `value` and `price` are the plan's, so the same plan always makes the same request.
pub(super) fn swap_request(
    job: &Job,
    side: Side,
    amount_in: Amount,
    value: Usd,
    price: Price,
) -> Result<SwapRequest, MoneyError> {
    let (token_in, token_out) = match side {
        Side::Buy => (&job.quote, &job.token),
        Side::Sell => (&job.token, &job.quote),
    };
    let limits = &job.config.limits;
    let checks = Checks {
        decimals: Some((token_in.decimals, token_out.decimals)),
        better_max_bps: Some(job.config.price.max_price_deviation_bps),
        worse_max_bps: Some(limits.max_slippage_bps),
        impact_max_bps: Some(limits.max_price_impact_bps),
        kept_max_bps: Some(limits.max_pool_fee_bps),
        pool_age_min: (side == Side::Buy).then_some(job.config.venue.min_pool_age),
        slip_max_bps: limits.max_slip_from_quote_bps,
        held: job.position.token_balance,
        round_trip_loss_max_bps: limits.max_round_trip_loss_bps,
    };
    let (amount_out_fair, fair_rest) = fair_out_parts(side, value, price, &job.position)?;
    Ok(SwapRequest {
        wallet: job.account.wallet,
        token_in: token_in.address,
        token_out: token_out.address,
        amount_in,
        amount_out_fair,
        fair_rest,
        pool: job.config.venue.pool,
        prove_sell: side == Side::Buy,
        checks,
    })
}

/// What the wallet can spend on `request`: its balances less `reserved`.
pub(super) async fn open_purse(
    market: &Market,
    request: &SwapRequest,
    reserved: &HashMap<Asset, Amount>,
) -> Result<Purse, RpcError> {
    let assets = [Asset::of(request.token_in), Asset::Native];
    let balances = market.chain.balances(request.wallet, &assets).await?;
    let free = |index: usize| {
        let balance = balances.get(index).copied().unwrap_or_default();
        let taken = assets
            .get(index)
            .and_then(|asset| reserved.get(asset))
            .copied()
            .unwrap_or_default();
        balance.saturating_sub(taken)
    };
    Ok(Purse {
        token_in: free(0),
        native: free(1),
    })
}

pub(super) fn quoting(job: &Job) -> Quoting<'_> {
    Quoting {
        position: &job.position,
        limits: &job.config.limits,
        pays_in_native: job.quote.address == NATIVE,
    }
}

/// Why nothing may be signed for this chain now: its fees exceed `max_fee_gwei`, and a transaction that pays less is
/// not mined.
pub(super) fn too_expensive(market: &Market, fees: Fees) -> Option<String> {
    let cap = market.chain.patience().max_fee_per_gas;
    (fees.max_fee_per_gas > cap).then(|| {
        let asked = fees.max_fee_per_gas;
        format!("the chain asks {asked} wei per unit of gas, max_fee_gwei of this chain allows {cap}")
    })
}

/// Why nothing should be sent to this chain now: it is halted, its nodes lag behind, or its clock is ahead of the
/// database's. Deadlines are computed from block time.
pub(super) fn halted(market: &Market, head: Head, now: Timestamp) -> Option<(HoldReason, String)> {
    let ahead = head.time - now;
    if ahead > CLOCK_SKEW_MAX {
        return Some((
            HoldReason::ChainClock,
            format!(
                "block {} is dated {}, which is {} s after the database's time; {} s are allowed: check the node and the \
                 clock of the database",
                head.number,
                head.time,
                ahead.num_seconds(),
                CLOCK_SKEW_MAX.num_seconds()
            ),
        ));
    }
    let longest = market.chain.max_head_age();
    (longest.after(head.time) < now).then(|| {
        let age = (now - head.time).num_seconds();
        let detail = format!(
            "block {} is the newest and {age} s old, max_head_age is {longest}",
            head.number
        );
        (HoldReason::ChainHalted, detail)
    })
}

/// The deadline of calldata made now: `longest` after the earlier of block time and database time, so neither clock can
/// extend it.
pub(super) fn deadline(longest: Span, head: Head, now: Timestamp) -> Timestamp {
    longest.after(head.time.min(now))
}
