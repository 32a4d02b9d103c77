//! How a fill changes a position. Exact: the parts of a full cycle add up to the last unit.

use super::{
    decision::{Position, Side},
    units::{Amount, MoneyError, Price, Rounding, Usd},
};

/// What really moved, read from the receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Direction.
    pub side: Side,
    /// Tokens in (buy) or out (sell), base units.
    pub base_amount: Amount,
    /// Quote out (buy) or in (sell), base units.
    pub quote_amount: Amount,
    /// `quote_amount` in USD.
    pub quote_usd: Usd,
}

impl Fill {
    /// What moved, with the quote's worth at `quote_price` per whole quote token, rounded down.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range.
    pub fn of(
        side: Side,
        base_amount: Amount,
        quote_amount: Amount,
        (quote_decimals, quote_price): (u8, Price),
    ) -> Result<Self, MoneyError> {
        Ok(Self {
            side,
            base_amount,
            quote_amount,
            quote_usd: quote_amount.value(quote_decimals, quote_price, Rounding::Down)?,
        })
    }

    /// USD per whole token that it comes to; one too small to have a price of its own keeps the `planned` one.
    #[must_use]
    pub fn price(&self, token_decimals: u8, planned: Price) -> Price {
        Price::of(self.quote_usd, self.base_amount, token_decimals).unwrap_or(planned)
    }
}

/// A position after a fill, and what the fill earned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booked {
    /// The position now.
    pub position: Position,
    /// Cost basis of what was sold; zero for a buy.
    pub cost_sold: Usd,
    /// Proceeds less cost of what was sold; zero for a buy.
    pub realized: Usd,
}

impl Booked {
    /// What one whole token had cost on average when `fill` sold some, rounded down; `None` of a buy, and of the sale
    /// that left nothing.
    #[must_use]
    pub fn average_cost_kept(&self, fill: &Fill) -> Option<Price> {
        let position = &self.position;
        let kept = fill.side == Side::Sell && !position.token_balance.is_zero();
        let cost = || Price::of(self.cost_sold, fill.base_amount, position.token_decimals).ok();
        kept.then(cost).flatten()
    }
}

/// Books a fill. A buy adds its cost. A sell takes the sold share of the cost basis, rounded down, so the
/// average stays; the sell that empties the position takes all that is left, so over a whole cycle the
/// realized parts add up to proceeds less cost, to the last digit. Quote moves if the job owns it.
///
/// # Errors
/// [`MoneyError::Negative`] if more is sold than held, or more quote spent than owned;
/// [`MoneyError`] if a number leaves its range.
pub fn book(position: Position, fill: &Fill) -> Result<Booked, MoneyError> {
    match fill.side {
        Side::Buy => book_buy(position, fill),
        Side::Sell => book_sell(position, fill),
    }
}

fn book_buy(position: Position, fill: &Fill) -> Result<Booked, MoneyError> {
    let quote_balance = if position.owns_quote {
        position.quote_balance.checked_sub(fill.quote_amount)?
    } else {
        position.quote_balance
    };
    Ok(Booked {
        position: Position {
            token_balance: position.token_balance.checked_add(fill.base_amount)?,
            cost_basis: position.cost_basis.checked_add(fill.quote_usd)?,
            quote_balance,
            ..position
        },
        cost_sold: Usd::ZERO,
        realized: Usd::ZERO,
    })
}

fn book_sell(position: Position, fill: &Fill) -> Result<Booked, MoneyError> {
    let token_balance = position.token_balance.checked_sub(fill.base_amount)?;
    let cost_sold = if token_balance.is_zero() {
        position.cost_basis
    } else {
        position
            .cost_basis
            .share(fill.base_amount, position.token_balance, Rounding::Down)?
    };
    let quote_balance = if position.owns_quote {
        position.quote_balance.checked_add(fill.quote_amount)?
    } else {
        position.quote_balance
    };
    let realized = fill.quote_usd.checked_sub(cost_sold)?;
    Ok(Booked {
        position: Position {
            token_balance,
            cost_basis: position.cost_basis.checked_sub(cost_sold)?,
            quote_balance,
            realized_pnl: position.realized_pnl.checked_add(realized)?,
            ..position
        },
        cost_sold,
        realized,
    })
}

/// Reverses a fill that was reorged out, whatever was booked since: a buy gives its tokens and its cost back, a
/// sell takes its tokens, their cost and its profit back.
///
/// # Errors
/// [`MoneyError::Negative`] if what would be given back is not there any more;
/// [`MoneyError::OutOfRange`] if cost would be left without tokens, or a number leaves its range.
pub fn unbook(
    position: Position,
    fill: &Fill,
    cost_sold: Usd,
    realized: Usd,
) -> Result<Position, MoneyError> {
    let undone = match fill.side {
        Side::Buy => Position {
            token_balance: position.token_balance.checked_sub(fill.base_amount)?,
            cost_basis: position.cost_basis.checked_sub(fill.quote_usd)?,
            quote_balance: if position.owns_quote {
                position.quote_balance.checked_add(fill.quote_amount)?
            } else {
                position.quote_balance
            },
            ..position
        },
        Side::Sell => Position {
            token_balance: position.token_balance.checked_add(fill.base_amount)?,
            cost_basis: position.cost_basis.checked_add(cost_sold)?,
            quote_balance: if position.owns_quote {
                position.quote_balance.checked_sub(fill.quote_amount)?
            } else {
                position.quote_balance
            },
            realized_pnl: position.realized_pnl.checked_sub(realized)?,
            ..position
        },
    };
    if undone.cost_basis < Usd::ZERO {
        return Err(MoneyError::Negative);
    }
    if undone.token_balance.is_zero() && undone.cost_basis > Usd::ZERO {
        return Err(MoneyError::OutOfRange);
    }
    Ok(undone)
}

/// Gives up what is not worth its gas: the tokens leave the ledger and their cost is lost.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn write_down(position: Position) -> Result<Booked, MoneyError> {
    lose(position, position.token_balance)
}

/// Tokens that are gone without a trade and without their owner's doing: their share of the cost is lost.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range, or if more is lost than is held.
pub fn lose(position: Position, lost: Amount) -> Result<Booked, MoneyError> {
    book_sell(
        position,
        &Fill {
            side: Side::Sell,
            base_amount: lost,
            quote_amount: Amount::ZERO,
            quote_usd: Usd::ZERO,
        },
    )
}

/// Adds tokens to a position that came without a trade, at what they cost.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn adopt(position: Position, base_amount: Amount, cost: Usd) -> Result<Position, MoneyError> {
    Ok(Position {
        token_balance: position.token_balance.checked_add(base_amount)?,
        cost_basis: position.cost_basis.checked_add(cost)?,
        ..position
    })
}

/// Takes tokens out of a position without selling them: their share of the cost goes with them, and nothing is
/// earned or lost. `cost_sold` is that share.
///
/// # Errors
/// [`MoneyError::Negative`] if there are fewer; [`MoneyError`] if a number leaves its range.
pub fn withdraw(position: Position, base_amount: Amount) -> Result<Booked, MoneyError> {
    let taken = book_sell(
        position,
        &Fill {
            side: Side::Sell,
            base_amount,
            quote_amount: Amount::ZERO,
            quote_usd: Usd::ZERO,
        },
    )?;
    Ok(Booked {
        position: Position {
            realized_pnl: position.realized_pnl,
            ..taken.position
        },
        realized: Usd::ZERO,
        ..taken
    })
}

/// What selling all at `price` would gain or lose, before fees; rounded down.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn unrealized(position: &Position, price: Price) -> Result<Usd, MoneyError> {
    position
        .token_value(price, Rounding::Down)?
        .checked_sub(position.cost_basis)
}

/// What one whole token cost on average, rounded down; `None` if nothing is held or it cost nothing.
#[must_use]
pub fn average_cost(position: &Position) -> Option<Price> {
    Price::of(
        position.cost_basis,
        position.token_balance,
        position.token_decimals,
    )
    .ok()
}
