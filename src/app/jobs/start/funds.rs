//! Whether the wallet holds what a new job may spend.

use tracing::warn;

use crate::{
    app::{App, AppError, message::Message, whole::Whole},
    domain::{
        config::{OrderSide, Rules},
        units::{Price, Rounding, Usd},
    },
    store::jobs::NewJob,
};

/// What a job may spend in all; `None`: it buys nothing.
const fn most(rules: &Rules) -> Option<Usd> {
    match rules {
        Rules::Accumulate(rules) => Some(rules.max_accumulation_usd),
        Rules::Liquidity(rules) => Some(rules.budget_usd),
        Rules::Basket(rules) => Some(rules.budget_usd),
        Rules::Order(rules) => match rules.side {
            OrderSide::Buy => Some(rules.amount_usd),
            OrderSide::Sell => None,
        },
    }
}

/// That the wallet holds less than the job may spend, which is no reason not to start: more may come before it is
/// needed. A balance that cannot be read now is left out.
pub(super) async fn short(app: &App, new: &NewJob, quote_price: Price) -> Option<Message> {
    let most = most(&new.config.rules)?;
    let holds = less_than(app, new, quote_price, most).await?;
    Some(
        format!(
            "{holds}, less than the {most} USD that this job may spend: it waits for more when that is gone"
        )
        .into(),
    )
}

/// That a wallet holds less than these jobs, each of which begins with money of its own, may spend together; `None`: it
/// holds enough, or its balance cannot be read now.
pub(super) async fn short_together(app: &App, all: &[&NewJob], quote_price: Price) -> Option<Message> {
    let one = all.first().filter(|_| all.len() > 1)?;
    let mut sum = Usd::ZERO;
    for new in all {
        sum = sum.checked_add(most(&new.config.rules)?).ok()?;
    }
    let holds = less_than(app, one, quote_price, sum).await?;
    let count = all.len();
    Some(
        format!(
            "{holds}, less than the {sum} USD that these {count} members may spend together: those that come late wait \
             for more"
        )
        .into(),
    )
}

/// What the wallet of `new` holds of the quote, in words, if that is worth less than `most`.
async fn less_than(app: &App, new: &NewJob, quote_price: Price, most: Usd) -> Option<String> {
    let held = held(app, new, quote_price).await;
    let (held, worth) = held
        .inspect_err(|error| warn!(%error, "the wallet's balance is not known"))
        .ok()?;
    (worth < most).then(|| format!("the wallet holds {held} {} ({worth} USD)", new.quote.symbol))
}

/// What is free of the quote token in the job's wallet, and its value, USD, rounded down.
async fn held(app: &App, new: &NewJob, quote_price: Price) -> Result<(Whole, Usd), AppError> {
    let (held, reserved) = app
        .engine()
        .await?
        .wallet_holds(&new.account, new.quote.address)
        .await?;
    let free = held.saturating_sub(reserved);
    let decimals = new.quote.decimals;
    let worth = free.value(decimals, quote_price, Rounding::Down);
    let worth = worth.map_err(|error| AppError::Internal(error.to_string()))?;
    Ok((Whole::new(free, decimals), worth))
}
