//! What a trade costs: gas, what is kept for it, and what a plan is worth before any cost.

use alloy_primitives::U256;

use super::{
    bounds::Worth,
    config::LimitsConfig,
    decision::{Plan, Position, Side},
    limits::Quoted,
    onchain::{Fees, Quote},
    units::{Amount, MoneyError, NATIVE_DECIMALS, Price, Rounding, Usd},
};

/// Gas is reserved for this multiple of the first fee: six replacements at an eighth more each double it. Fees between
/// that and the cap are rare; a wallet that cannot pay them holds with a named reason and loses nothing.
pub const REPLACEMENT_HEADROOM: u128 = 2;

/// Parts of a base unit, where fractions of it are counted.
pub const PARTS: u32 = 1_000_000;

/// Decimals and USD price of a whole token of the incoming side.
fn unit_out(side: Side, price: Price, position: &Position) -> (u8, Price) {
    match side {
        Side::Buy => (position.token_decimals, price),
        Side::Sell => (position.quote_decimals, position.quote_price),
    }
}

/// What a plan of this value is worth in the incoming token, base units, before any cost.
///
/// # Errors
/// [`MoneyError`] when a number leaves its range.
pub fn fair_out(side: Side, value: Usd, price: Price, position: &Position) -> Result<Amount, MoneyError> {
    let (decimals, price) = unit_out(side, price, position);
    value.to_amount(decimals, price, Rounding::Down)
}

/// The same, and what rounding cut off it: millionths of a base unit, rounded down.
///
/// # Errors
/// [`MoneyError`] when a number leaves its range.
pub fn fair_out_parts(
    side: Side,
    value: Usd,
    price: Price,
    position: &Position,
) -> Result<(Amount, u32), MoneyError> {
    let whole = fair_out(side, value, price, position)?;
    let (decimals, price) = unit_out(side, price, position);
    // Amounts whose millionths are out of range have no use for them.
    let parts = value.share_to_amount((PARTS, 1), decimals, price, Rounding::Down);
    let rest = parts.map_or(U256::ZERO, |parts| {
        parts.units().checked_rem(U256::from(PARTS)).unwrap_or_default()
    });
    Ok((whole, u32::try_from(rest).unwrap_or_default()))
}

/// The numbers behind a plan that is worth less than one unit of what comes in, for people.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn less_than_a_unit(plan: &Plan, position: &Position) -> Result<String, MoneyError> {
    let (decimals, price) = unit_out(plan.side, plan.price, position);
    let worth = Worth {
        value: plan.value,
        decimals,
        price,
    };
    Ok(format!(
        "the smallest unit of what comes in costs {} USD and the trade is worth {} USD: it would bring nothing",
        worth.unit()?,
        worth.in_cents()
    ))
}

/// The most that `units` of gas can cost, in wei and in USD, rounded up.
///
/// # Errors
/// [`MoneyError`] when a number leaves its range.
pub fn gas_cost(units: u64, fees: Fees, native: Price) -> Result<(Amount, Usd), MoneyError> {
    let wei = U256::from(units)
        .checked_mul(U256::from(fees.max_fee_per_gas))
        .ok_or(MoneyError::OutOfRange)?;
    let wei = Amount::new(wei);
    Ok((wei, wei.value(NATIVE_DECIMALS, native, Rounding::Up)?))
}

/// USD value of gas that was paid, rounded up.
///
/// # Errors
/// [`MoneyError`] when a number leaves its range.
pub fn gas_paid(wei: Amount, native: Price) -> Result<Usd, MoneyError> {
    wei.value(NATIVE_DECIMALS, native, Rounding::Up)
}

/// Native coin that is never spent, wei.
///
/// # Errors
/// [`MoneyError`] when a number leaves its range.
pub fn gas_reserve(limits: &LimitsConfig) -> Result<Amount, MoneyError> {
    let reserve = Usd::rounded(limits.gas_reserve, Rounding::Up);
    reserve.to_amount(NATIVE_DECIMALS, Price::ONE, Rounding::Up)
}

/// What a wallet can spend: its balances less the reservations of open trades.
#[derive(Debug, Clone, Copy)]
pub struct Purse {
    /// The token that goes out, base units.
    pub token_in: Amount,
    /// Native coin, wei.
    pub native: Amount,
}

/// What gas costs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GasPrice {
    /// Fees of a transaction, wei per unit of gas.
    pub fees: Fees,
    /// USD per whole native coin.
    pub native: Price,
}

/// The job a plan is quoted for.
#[derive(Debug, Clone, Copy)]
pub struct Quoting<'a> {
    /// The job's position.
    pub position: &'a Position,
    /// The job's limits.
    pub limits: &'a LimitsConfig,
    /// Whether the job buys with the native coin, which also pays for gas.
    pub pays_in_native: bool,
}

/// Gathers the figures that the limits check.
///
/// # Errors
/// [`MoneyError`] when a number leaves its range.
pub fn quoted(
    job: Quoting<'_>,
    plan: &Plan,
    quote: &Quote,
    purse: Purse,
    gas_price: GasPrice,
) -> Result<Quoted, MoneyError> {
    let (gas, gas_usd) = gas_cost(quote.gas_units, gas_price.fees, gas_price.native)?;
    let gas_usd = gas_usd.checked_add(gas_paid(quote.data_fee, gas_price.native)?)?;
    // The same headroom as the reservation: a plan that passes here can be reserved.
    let mut needed = gas
        .mul_div(U256::from(REPLACEMENT_HEADROOM), U256::from(1), Rounding::Up)?
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
        kept: quote.kept,
        launched: quote.launched,
        gas_usd,
        available_in: purse.token_in,
        gas_affordable: purse.native >= needed,
    })
}

/// The most that a unit of gas may cost, wei, for `units` to cost no more than `money`; rounded down.
///
/// # Errors
/// [`MoneyError`] when a number leaves its range.
pub fn fee_within(money: Usd, units: u64, native: Price) -> Result<u128, MoneyError> {
    let wei = money.to_amount(NATIVE_DECIMALS, native, Rounding::Down)?.units();
    let each = wei.checked_div(U256::from(units.max(1))).unwrap_or_default();
    Ok(u128::try_from(each).unwrap_or(u128::MAX))
}
