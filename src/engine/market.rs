//! What venue and wallet say about a plan.

use std::collections::HashMap;

use crate::{
    domain::{
        Timestamp,
        config::LimitsConfig,
        decision::{HoldReason, Plan, Position, Side},
        limits::Quoted,
        onchain::{Asset, Checks, Fees, Head, Quote, SwapRequest},
        pool::NATIVE,
        price::CLOCK_SKEW_MAX,
        span::Span,
        units::{Amount, MoneyError, NATIVE_DECIMALS, Price, Rounding, Usd},
    },
    ports::{Market, RpcError},
    store::jobs::Job,
};

/// The swap that a plan asks for. `value` and `price` are the plan's: the same plan always asks the same.
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
        slip_max_bps: limits.max_slip_from_quote_bps,
        held: job.position.token_balance,
        round_trip_loss_max_bps: limits.max_round_trip_loss_bps,
    };
    Ok(SwapRequest {
        wallet: job.account.wallet,
        token_in: token_in.address,
        token_out: token_out.address,
        amount_in,
        amount_out_fair: fair_out(side, value, price, &job.position)?,
        pool: job.config.venue.pool,
        prove_sell: side == Side::Buy,
        checks,
    })
}

/// Digits and USD price of a whole token of what comes in.
fn unit_out(side: Side, price: Price, position: &Position) -> (u8, Price) {
    match side {
        Side::Buy => (position.token_decimals, price),
        Side::Sell => (position.quote_decimals, position.quote_price),
    }
}

/// What a plan of this value is worth in what comes in, base units, before any cost.
pub(crate) fn fair_out(
    side: Side,
    value: Usd,
    price: Price,
    position: &Position,
) -> Result<Amount, MoneyError> {
    let (decimals, price) = unit_out(side, price, position);
    value.to_amount(decimals, price, Rounding::Down)
}

/// What `units` of gas cost at most, wei and USD, rounded up.
pub(super) fn gas_cost(units: u64, fees: Fees, native: Price) -> Result<(Amount, Usd), MoneyError> {
    let wei = alloy_primitives::U256::from(units)
        .checked_mul(alloy_primitives::U256::from(fees.max_fee_per_gas))
        .ok_or(MoneyError::OutOfRange)?;
    let wei = Amount::new(wei);
    Ok((wei, wei.value(NATIVE_DECIMALS, native, Rounding::Up)?))
}

/// What gas that was really paid cost, USD, rounded up.
pub(crate) fn gas_paid(wei: Amount, native: Price) -> Result<Usd, MoneyError> {
    wei.value(NATIVE_DECIMALS, native, Rounding::Up)
}

/// The native coin that is never touched, wei.
pub(super) fn gas_reserve(limits: &LimitsConfig) -> Result<Amount, MoneyError> {
    let reserve = Usd::rounded(limits.gas_reserve, Rounding::Up);
    reserve.to_amount(NATIVE_DECIMALS, Price::ONE, Rounding::Up)
}

/// What a wallet holds, less what open trades may still take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purse {
    pub(crate) token_in: Amount,
    pub(crate) native: Amount,
}

impl Purse {
    pub(super) async fn open(
        market: &Market,
        request: &SwapRequest,
        reserved: &HashMap<Asset, Amount>,
    ) -> Result<Self, RpcError> {
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
        Ok(Self {
            token_in: free(0),
            native: free(1),
        })
    }
}

/// What a plan is quoted for: a job's position and limits, and whether its quote is the coin that pays for gas.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quoting<'a> {
    pub(crate) position: &'a Position,
    pub(crate) limits: &'a LimitsConfig,
    pub(crate) pays_in_native: bool,
}

impl<'a> Quoting<'a> {
    pub(super) fn of(job: &'a Job) -> Self {
        Self {
            position: &job.position,
            limits: &job.config.limits,
            pays_in_native: job.quote.address == NATIVE,
        }
    }
}

/// Puts together what the limits look at.
pub(crate) fn quoted(
    job: Quoting<'_>,
    plan: &Plan,
    quote: &Quote,
    purse: Purse,
    (fees, native): (Fees, Price),
) -> Result<Quoted, MoneyError> {
    let (gas, gas_usd) = gas_cost(quote.gas_units, fees, native)?;
    let gas_usd = gas_usd.checked_add(gas_paid(quote.data_fee, native)?)?;
    // The same headroom as the reservation has: a plan that passes here can be reserved.
    let mut needed = gas
        .mul_div(
            alloy_primitives::U256::from(super::submit::REPLACEMENT_HEADROOM),
            alloy_primitives::U256::from(1),
            Rounding::Up,
        )?
        .checked_add(quote.data_fee)?
        .checked_add(gas_reserve(job.limits)?)?;
    if plan.side == Side::Buy && job.pays_in_native {
        needed = needed.checked_add(plan.amount_in)?;
    }
    let (out_decimals, out_price) = unit_out(plan.side, plan.price, job.position);
    Ok(Quoted {
        amount_out: quote.amount_out,
        out_decimals,
        out_price,
        price_impact_bps: quote.price_impact_bps,
        gas_usd,
        available_in: purse.token_in,
        gas_affordable: purse.native >= needed,
    })
}

/// Why nothing may be signed for this chain now: it asks for more than its cap allows, and what pays less is never
/// mined.
pub(super) fn too_dear(market: &Market, fees: Fees) -> Option<String> {
    let cap = market.chain.patience().max_fee_per_gas;
    (fees.max_fee_per_gas > cap).then(|| {
        let asked = fees.max_fee_per_gas;
        format!("the chain asks {asked} wei per unit of gas, max_fee_gwei of this chain allows {cap}")
    })
}

/// The most that a unit of gas may cost, wei, for `units` to cost no more than `money`; rounded down.
pub(super) fn fee_within(money: Usd, units: u64, native: Price) -> Result<u128, MoneyError> {
    let wei = money.to_amount(NATIVE_DECIMALS, native, Rounding::Down)?.units();
    let each = wei / alloy_primitives::U256::from(units.max(1));
    Ok(u128::try_from(each).unwrap_or(u128::MAX))
}

/// Why nothing should be sent to this chain now: it stands still, its nodes are behind, or its clock is ahead of ours.
/// Deadlines are made of this clock.
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

/// Until when calldata made now is good: so long after the earlier of the chain's time and the database's. Neither can
/// make it longer.
pub(super) fn deadline(longest: Span, head: Head, now: Timestamp) -> Timestamp {
    longest.after(head.time.min(now))
}
