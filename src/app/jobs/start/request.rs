//! A request to start a job, and the plan made from it.

use alloy_primitives::Address;
use rust_decimal::Decimal;

use crate::app::message::{Advice, Field, Message, message};
use crate::{
    app::{
        AppError,
        jobs::adopt::{Cost, Tokens},
        ticker,
    },
    config::JobLayers,
    domain::{
        chains,
        config::JobConfig,
        job::{Account, JobMode, Realm, Token},
        units::{Price, TOKEN_DECIMALS_MAX},
    },
};

#[derive(Debug)]
pub struct StartRequest {
    pub token: Address,
    pub realm: Realm,
    pub chain: String,
    /// Required for a new job; never changes afterwards.
    pub mode: Option<JobMode>,
    /// The keys that were given, without the settings' defaults.
    pub given: JobLayers,
    /// Mode liquidity: initial money, USD.
    pub budget: Option<Decimal>,
    /// The token's ticker; none: looked up.
    pub symbol: Option<String>,
    /// Digits of one whole token; none: looked up, or 18 on paper.
    pub decimals: Option<u8>,
    /// Live: ticker of the native coin, its wrapped form or USDC; none: the native coin.
    pub quote: Option<String>,
    /// It is one order: a job that is there already does not become it.
    pub placed: Option<Placed>,
}

/// What an order begins with, besides its configuration.
#[derive(Debug)]
pub struct Placed {
    /// Tokens of the wallet that it is to sell, and what they cost.
    pub sells: Option<(Tokens, Cost)>,
    /// A second order with the same key is not placed.
    pub key: Option<String>,
}

impl StartRequest {
    /// Checks that need no database; a face calls it before it opens one.
    ///
    /// # Errors
    /// [`AppError::Usage`].
    pub fn check(&self) -> Result<(), AppError> {
        if let Some(decimals) = self.decimals.filter(|decimals| *decimals > TOKEN_DECIMALS_MAX) {
            let problem = format!(" {decimals}: must be 0 to {TOKEN_DECIMALS_MAX}");
            return Err(message![Field::Decimals, problem].bad_input());
        }
        ticker::given(self.symbol.as_deref())?;
        if self.realm == Realm::Live {
            return Ok(());
        }
        chains::find(&self.chain)
            .map_err(|error| message![Field::Chain, format!(": {error}")].bad_input())?;
        match &self.quote {
            Some(quote) => Err(message![
                Field::Quote,
                format!(" {quote}: needs "),
                Field::Live,
                "; the paper venue trades against USDC",
            ]
            .bad_input()),
            None => Ok(()),
        }
    }

    /// `below` and, if one was given, the budget.
    pub(super) fn with_budget(&self, below: JobLayers, mode: JobMode) -> Result<JobLayers, AppError> {
        let Some(budget) = self.budget else {
            return Ok(below);
        };
        if !matches!(mode, JobMode::Liquidity | JobMode::Basket) {
            let problem = format!(
                " {budget}: only a job of mode liquidity or basket has a budget; what mode accumulate may spend is \
                 accumulate.max_accumulation_usd"
            );
            return Err(message![Field::Budget, problem].bad_input());
        }
        let key = format!("{}.budget_usd", mode.section());
        agree(&below, Field::Budget, &key, &budget.to_string())?;
        Ok(below.assignments(&[format!("{key}={budget}")], "budget")?)
    }
}

/// Refuses a field of a request and an assignment of the same request that give one key two values: neither is the one
/// that is meant by more right than the other.
pub(in crate::app::jobs) fn agree(
    given: &JobLayers,
    field: Field,
    key: &str,
    value: &str,
) -> Result<(), AppError> {
    match given.contradiction(key, value) {
        None => Ok(()),
        Some(other) => Err(message![
            field,
            format!(" {value} and "),
            Advice::Set(other.into()),
            format!(" contradict each other: both are {key}; give one of them"),
        ]
        .bad_input()),
    }
}

/// A new job, before lookups.
pub(super) struct Plan<'a> {
    pub(super) request: &'a StartRequest,
    /// With the settings' defaults below.
    pub(super) given: JobLayers,
    pub(super) mode: JobMode,
    pub(super) config: JobConfig,
    /// Assumptions for values that were not given, one line each.
    pub(super) assumed: Vec<Message>,
}

/// A new job after all lookups.
pub(super) struct Groundwork {
    pub(super) account: Account,
    pub(super) token: Token,
    pub(super) quote: Token,
    /// USD per whole quote token, now.
    pub(super) quote_price: Price,
}
