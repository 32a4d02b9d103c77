//! One transaction against one entry of the policy.

use alloy_primitives::{Address, U256, aliases::U160};

use super::{
    appraiser::Worth,
    file::{Entry, Quote},
    model::{Allow, Intent, Payment, Swap, named},
    refusal::{Reason, Refusal},
};
use crate::domain::{
    Timestamp,
    units::{Amount, BPS, MoneyError, NATIVE_DECIMALS, Price, Rounding, Usd},
};

/// Direction of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Quote to token: spends.
    Buy {
        quote: Quote,
        quote_decimals: u8,
        token: Address,
    },
    /// Token to quote: an exit, which no spending limit blocks.
    Sell {
        quote: Quote,
        quote_decimals: u8,
        token: Address,
    },
}

pub(super) fn arithmetic(error: MoneyError) -> Refusal {
    Refusal::new(Reason::Price, format!("its value cannot be computed: {error}"))
}

/// Maximum cost of gas, rounded up.
pub(super) fn gas(
    entry: &Entry,
    gas_limit: u64,
    max_fee_per_gas: u128,
    native: Price,
) -> Result<(), Refusal> {
    let wei = U256::from(gas_limit).saturating_mul(U256::from(max_fee_per_gas));
    let usd = Amount::new(wei)
        .value(NATIVE_DECIMALS, native, Rounding::Up)
        .map_err(arithmetic)?;
    if usd > entry.max_gas_usd {
        let detail = format!("its gas may cost {usd} USD, max_gas_usd is {}", entry.max_gas_usd);
        return Err(Refusal::new(Reason::Gas, detail));
    }
    Ok(())
}

/// The kill switch. Cancels pass: they move nothing, and clear the wallet's pending transactions.
pub(super) fn running(entry: &Entry, intent: &Intent) -> Result<(), Refusal> {
    if entry.stop && *intent != Intent::Cancel {
        let detail = "the policy is stopped, only cancels are signed until it is resumed";
        return Err(Refusal::new(Reason::Stopped, detail));
    }
    Ok(())
}

/// USD per whole quote.
pub(super) const fn quote_price(quote: Quote, native: Price) -> Price {
    match quote {
        Quote::Native | Quote::Wrapped => native,
        Quote::Usdc => Price::ONE,
    }
}

/// The deadline must be within the entry's maximum.
fn deadline(entry: &Entry, until: U256, now: Timestamp) -> Result<(), Refusal> {
    let latest = entry.max_deadline.after(now).timestamp();
    if until <= U256::from(u64::try_from(latest).unwrap_or_default()) {
        return Ok(());
    }
    let detail = format!(
        "it stays valid until {until} (Unix seconds), longer than max_deadline = {} from now ({}): is the clock of this \
         machine or of the node wrong?",
        entry.max_deadline,
        now.timestamp()
    );
    Err(Refusal::new(Reason::Deadline, detail))
}

/// An allowance must be for a traded asset, to a router, with an upper bound.
pub(super) fn allowance(entry: &Entry, allow: &Allow, native: Price, now: Timestamp) -> Result<(), Refusal> {
    let at = entry.contracts();
    let spender = allow.spender;
    let token = named(allow.token, &at);
    let (tradable, quote) = (entry.tokens.contains(&allow.token), entry.quote(allow.token));
    if !tradable && quote.is_none() {
        let detail = format!("it approves {spender} for {token}, which this entry does not name");
        return Err(Refusal::new(Reason::Token, detail));
    }
    if !allow.is_to_known_spender(&at) {
        let detail = format!("it approves {spender} for {token}; only the routers may get an allowance");
        return Err(Refusal::new(Reason::Allowance, detail));
    }
    if let Some(expires) = allow.expires {
        deadline(entry, expires, now)?;
    }
    if allow.amount >= U256::from(U160::MAX) {
        let detail = format!("it approves {spender} for any amount of {token}; allowances must be exact");
        return Err(Refusal::new(Reason::Allowance, detail));
    }
    // Any amount of a token that may be sold: only a swap, checked as well, can use it.
    match quote {
        Some((quote, decimals)) if !tradable => {
            let usd = Amount::new(allow.amount)
                .value(decimals, quote_price(quote, native), Rounding::Down)
                .map_err(arithmetic)?;
            trade(entry, usd)
        }
        _ => Ok(()),
    }
}

/// A payment goes only to an address that the entry names, and never to a contract that would keep it.
pub(super) fn payment(entry: &Entry, pay: &Payment) -> Result<(), Refusal> {
    let refused = |detail: String| Err(Refusal::new(Reason::Recipient, detail));
    let (at, to) = (entry.contracts(), pay.to);
    let contracts = [
        at.permit2,
        at.universal_router,
        at.swap_router,
        at.wrapped_native,
        at.usdc,
    ];
    if to.is_zero()
        || to == entry.wallet
        || to == pay.asset
        || contracts.contains(&to)
        || at.is_extra(to)
        || to == at.aerodrome_factory
        || entry.tokens.contains(&to)
    {
        return refused(format!(
            "it pays {to}, which is the zero address, the wallet itself, a token or a router: what it gets is lost"
        ));
    }
    if !entry.withdraw_to.contains(&to) {
        let line: Vec<String> = entry
            .withdraw_to
            .iter()
            .chain([&to])
            .map(|to| format!("\"{to}\""))
            .collect();
        return refused(format!(
            "it pays {to}, which withdraw_to does not name; if it is yours, write into the entry of wallet {} on {}: \
             withdraw_to = [{}]",
            entry.wallet,
            entry.chain,
            line.join(", ")
        ));
    }
    Ok(())
}

/// The limit of one buy.
pub(super) fn trade(entry: &Entry, usd: Usd) -> Result<(), Refusal> {
    if usd > entry.max_trade_usd {
        let detail = format!("a buy of {usd} USD; max_trade_usd is {}", entry.max_trade_usd);
        return Err(Refusal::new(Reason::Trade, detail));
    }
    Ok(())
}

/// Direction of a swap, if the entry allows both sides.
pub(super) fn way(entry: &Entry, token_in: Address, token_out: Address) -> Result<Way, Refusal> {
    let known = |token: &Address| entry.tokens.contains(token);
    if let (Some((quote, quote_decimals)), true) = (entry.quote(token_in), known(&token_out)) {
        return Ok(Way::Buy {
            quote,
            quote_decimals,
            token: token_out,
        });
    }
    // Where the coin may be had, its wrapped form may: a wallet whose code refuses coins is paid in it.
    let wrapped = token_out == entry.contracts().wrapped_native && entry.quotes.contains(&Quote::Native);
    let paid_in = entry
        .quote(token_out)
        .or(wrapped.then_some((Quote::Wrapped, NATIVE_DECIMALS)));
    if let (true, Some((quote, quote_decimals))) = (known(&token_in), paid_in) {
        return Ok(Way::Sell {
            quote,
            quote_decimals,
            token: token_in,
        });
    }
    let at = entry.contracts();
    let quotes: Vec<String> = entry.quotes.iter().map(ToString::to_string).collect();
    let detail = format!(
        "it swaps {} for {}; this entry allows {} tokens, against {}",
        named(token_in, &at),
        named(token_out, &at),
        entry.tokens.len(),
        if quotes.is_empty() {
            "nothing".to_owned()
        } else {
            quotes.join(", ")
        }
    );
    Err(Refusal::new(Reason::Token, detail))
}

/// USD that a buy of `amount` spends, rounded up; zero for a sale. The native coin counts at least `native_usd_min`.
pub(super) fn spends(entry: &Entry, way: &Way, amount: U256, native: Price) -> Result<Usd, Refusal> {
    let Way::Buy {
        quote,
        quote_decimals,
        ..
    } = way
    else {
        return Ok(Usd::ZERO);
    };
    let native = native.max(entry.native_usd_min);
    Amount::new(amount)
        .value(*quote_decimals, quote_price(*quote, native), Rounding::Up)
        .map_err(arithmetic)
}

/// The minimum output in the calldata must be worth enough, compared with the input.
pub(super) fn loss(
    entry: &Entry,
    swap: &Swap,
    way: &Way,
    native: Price,
    token: Worth,
) -> Result<(), Refusal> {
    let (quote, quote_decimals, buys) = match way {
        Way::Buy {
            quote,
            quote_decimals,
            ..
        } => (*quote, *quote_decimals, true),
        Way::Sell {
            quote,
            quote_decimals,
            ..
        } => (*quote, *quote_decimals, false),
    };
    let quote = Worth {
        price: quote_price(quote, native),
        decimals: quote_decimals,
    };
    let (paid, got) = if buys { (quote, token) } else { (token, quote) };
    let value = |amount: U256, worth: Worth, rounding| {
        Amount::new(amount)
            .value(worth.decimals, worth.price, rounding)
            .map_err(arithmetic)
    };
    let (paid, got) = (
        value(swap.amount_in, paid, Rounding::Up)?,
        value(swap.amount_out_min, got, Rounding::Down)?,
    );
    let share = rust_decimal::Decimal::new(i64::from(BPS.saturating_sub(entry.max_loss_bps)), 4);
    let least = paid.times(share, Rounding::Up).map_err(arithmetic)?;
    if got < least {
        let detail = format!(
            "it may bring as little as {got} USD for {paid} USD; max_loss_bps = {} requires {least} USD",
            entry.max_loss_bps
        );
        return Err(Refusal::new(Reason::Loss, detail));
    }
    Ok(())
}

/// Deadline of a swap.
pub(super) fn timely(entry: &Entry, swap: &Swap, now: Timestamp) -> Result<(), Refusal> {
    deadline(entry, swap.deadline, now)
}
