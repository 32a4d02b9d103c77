//! One order: a job of mode order, with what it is to sell.

use alloy_primitives::Address;
use rust_decimal::Decimal;

use super::{
    adopt::{Cost, Tokens},
    start::{Placed, StartRequest, agree},
};
use crate::{
    app::{
        AppError, given,
        message::{Advice, Field, message},
    },
    config::JobLayers,
    domain::{
        config::OrderSide,
        job::{JobMode, Realm},
        moment::Moment,
        span::Span,
        zone::Zone,
    },
};

/// An order as its owner gives it.
#[derive(Debug)]
pub struct OrderRequest {
    pub side: OrderSide,
    pub token: Address,
    pub realm: Realm,
    pub chain: String,
    /// A buy: what it spends in all, USD.
    pub amount: Option<Decimal>,
    /// A sale: how many tokens of the wallet.
    pub tokens: Option<Tokens>,
    /// A sale: what these tokens cost in all, USD; 0 if they cost nothing.
    pub cost: Option<Decimal>,
    /// The worst price at which it trades, USD for one token.
    pub limit: Option<Decimal>,
    /// A price that starts it, USD for one token.
    pub stop: Option<Decimal>,
    /// A distance from the best price that starts it, per cent.
    pub trail: Option<Decimal>,
    /// When it ends, filled or not: a day at whose beginning it ends, or a time; of the zone of its schedule.
    pub until: Option<String>,
    /// Number of equal parts, over this long.
    pub slices: Option<u32>,
    pub over: Option<Span>,
    /// Other keys of the configuration that were given.
    pub given: JobLayers,
    /// A second order with the same key is not placed.
    pub key: Option<String>,
    /// As in a start.
    pub symbol: Option<String>,
    pub decimals: Option<u8>,
    pub quote: Option<String>,
}

impl OrderRequest {
    /// The start of the order's job.
    ///
    /// # Errors
    /// [`AppError::Usage`] for a buy without an amount, a sale without tokens or their cost, a price or distance of
    /// zero or less, and an instant that cannot be read.
    pub fn start(self) -> Result<StartRequest, AppError> {
        let sells = self.sells()?;
        self.check_price()?;
        self.check_until()?;
        let key = given::key(self.key.as_deref())?;
        let side = self.side.to_string();
        if let Some(other) = self.given.contradiction("order.side", &side) {
            let problem = format!("an order to {side} and ");
            return Err(message![
                problem,
                Advice::Set(other.into()),
                " contradict each other; give one"
            ]
            .bad_input());
        }
        let mut pairs = vec![format!("order.side={side}")];
        for (field, key, value) in self.keys() {
            let (key, Some(value)) = (format!("order.{key}"), value) else {
                continue;
            };
            agree(&self.given, field, &key, &value)?;
            pairs.push(format!("{key}={value}"));
        }
        Ok(StartRequest {
            token: self.token,
            realm: self.realm,
            chain: self.chain,
            mode: Some(JobMode::Order),
            given: self.given.assignments(&pairs, "order")?,
            budget: None,
            symbol: self.symbol,
            decimals: self.decimals,
            quote: self.quote,
            placed: Some(Placed { sells, key }),
        })
    }

    /// The keys of the configuration that fields of the request stand for.
    fn keys(&self) -> [(Field, &'static str, Option<String>); 7] {
        let number = |value: Option<Decimal>| value.map(|value| value.to_string());
        [
            (Field::Amount, "amount_usd", number(self.amount)),
            (Field::Limit, "limit_usd", number(self.limit)),
            (Field::Stop, "stop_usd", number(self.stop)),
            (Field::Trail, "trail_pct", number(self.trail)),
            (Field::Until, "until", self.until.clone()),
            (
                Field::Slices,
                "slices",
                self.slices.map(|slices| slices.to_string()),
            ),
            (
                Field::Over,
                "over",
                self.over.map(|over| over.to_string().replace(' ', "")),
            ),
        ]
    }

    /// In a configuration zero means no price; in a command it is a mistake, which must not trade at any price.
    fn check_price(&self) -> Result<(), AppError> {
        let given = [
            (self.limit, Field::Limit),
            (self.stop, Field::Stop),
            (self.trail, Field::Trail),
        ];
        match given
            .into_iter()
            .find(|(value, _)| value.is_some_and(|value| value <= Decimal::ZERO))
        {
            Some((_, field)) => Err(message![
                field,
                ": a number above 0; without it the order trades at any price"
            ]
            .bad_input()),
            None => Ok(()),
        }
    }

    /// Names the field; which instant it is depends on the zone of the schedule and is found out later.
    fn check_until(&self) -> Result<(), AppError> {
        let Some(until) = &self.until else { return Ok(()) };
        Moment::read(until, Zone::UTC).map(drop).map_err(|why| {
            let problem = format!(
                " {until}: {why}; write a day, such as 2026-12-31, at whose beginning it ends, or a time, such as \
                 2026-12-31T18:30, with or without an offset"
            );
            message![Field::Until, problem].bad_input()
        })
    }

    /// What it sells, and what that cost.
    fn sells(&self) -> Result<Option<(Tokens, Cost)>, AppError> {
        match (self.side, self.amount, &self.tokens, self.cost) {
            (OrderSide::Buy, Some(_), None, None) => Ok(None),
            (OrderSide::Buy, None, ..) => Err(message![
                "an order to buy needs ",
                Field::Amount,
                ": what it spends in all, USD",
            ]
            .bad_input()),
            (OrderSide::Buy, ..) => Err(message![
                "an order to buy has ",
                Field::Amount,
                " alone; ",
                Field::Tokens,
                " and ",
                Field::Cost,
                " are of one to sell",
            ]
            .bad_input()),
            (OrderSide::Sell, None, Some(tokens), Some(cost)) => {
                Ok(Some((tokens.clone(), Cost::Total(cost))))
            }
            (OrderSide::Sell, Some(_), ..) => Err(message![
                "an order to sell has ",
                Field::Tokens,
                ", not ",
                Field::Amount,
                ": what it brings in depends on the price",
            ]
            .bad_input()),
            (OrderSide::Sell, ..) => Err(message![
                "an order to sell needs ",
                Field::Tokens,
                ", how many, or all, and ",
                Field::Cost,
                ", what they cost in all, USD: what it earns is what it brings in less that; 0 if they cost nothing",
            ]
            .bad_input()),
        }
    }
}
