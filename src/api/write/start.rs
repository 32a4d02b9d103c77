//! Jobs and orders are started. With real money, a second request confirms what the first one proposed.

use axum::{extract::State, response::Response};
use rust_decimal::Decimal;
use serde::Deserialize;
use utoipa::ToSchema;

use super::once::{Failed, Order, Write};
use crate::{
    api::{problem::Problem, state::Shared, wording::Http},
    app::{
        App, AppError,
        jobs::{
            adopt::Tokens,
            order::OrderRequest,
            start::{self, StartRequest, Started, Terms},
        },
        target::address,
    },
    config::JobLayers,
    domain::{
        config::OrderSide,
        job::{JobMode, Realm},
        span::Span,
        units::exact_decimal_or_none,
    },
};

/// A job to start.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Start {
    /// Token address
    token: String,
    /// ACCUMULATE or LIQUIDITY; required for a new job
    #[schema(value_type = Option<String>)]
    mode: Option<JobMode>,
    /// Keys of its configuration as KEY=VALUE, such as accumulate.dca_amount_usd=25
    #[serde(default)]
    set: Vec<String>,
    /// Chain to trade on; base if it is not given
    chain: Option<String>,
    /// The token's ticker; looked up if it is not given
    symbol: Option<String>,
    /// Decimals of the token, 0 to 36
    decimals: Option<u8>,
    /// Mode LIQUIDITY: initial money, USD
    #[serde(default, deserialize_with = "exact_decimal_or_none")]
    #[schema(value_type = Option<String>)]
    budget: Option<Decimal>,
    /// Trade with real money
    #[serde(default)]
    live: bool,
    /// With live: quote token by ticker
    quote: Option<String>,
    /// What the answer before said, for a live job
    confirm: Option<String>,
}

/// One order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewOrder {
    /// buy or sell
    #[schema(value_type = String)]
    side: OrderSide,
    /// Token address
    token: String,
    /// A buy: what it spends in all, USD
    #[serde(default, deserialize_with = "exact_decimal_or_none")]
    #[schema(value_type = Option<String>)]
    amount: Option<Decimal>,
    /// A sale: how many whole tokens, or all
    tokens: Option<String>,
    /// A sale: what these tokens cost in all, USD
    #[serde(default, deserialize_with = "exact_decimal_or_none")]
    #[schema(value_type = Option<String>)]
    cost: Option<Decimal>,
    /// Buy at or below this price, sell at or above it, USD for one token
    #[serde(default, deserialize_with = "exact_decimal_or_none")]
    #[schema(value_type = Option<String>)]
    limit: Option<Decimal>,
    /// A price that starts it, USD for one token
    #[serde(default, deserialize_with = "exact_decimal_or_none")]
    #[schema(value_type = Option<String>)]
    stop: Option<Decimal>,
    /// A distance from the best price that starts it, per cent
    #[serde(default, deserialize_with = "exact_decimal_or_none")]
    #[schema(value_type = Option<String>)]
    trail: Option<Decimal>,
    /// End at this instant, filled or not
    until: Option<String>,
    /// Number of equal parts, with over
    slices: Option<u32>,
    /// Time from the first part to the last, such as 6h, with slices
    #[schema(value_type = Option<String>)]
    over: Option<Span>,
    /// Other keys of the configuration as KEY=VALUE
    #[serde(default)]
    set: Vec<String>,
    /// Chain to trade on; base if it is not given
    chain: Option<String>,
    /// The token's ticker; looked up if it is not given
    symbol: Option<String>,
    /// Decimals of the token, 0 to 36
    decimals: Option<u8>,
    /// Trade with real money
    #[serde(default)]
    live: bool,
    /// With live: quote token by ticker
    quote: Option<String>,
    /// What the answer before said, for a live order
    confirm: Option<String>,
}

pub(super) const fn realm(live: bool) -> Realm {
    if live { Realm::Live } else { Realm::Paper }
}

pub(super) fn chain(given: Option<String>) -> String {
    given.unwrap_or_else(|| "base".to_owned())
}

fn layers(set: &[String]) -> Result<JobLayers, AppError> {
    Ok(JobLayers::of_job().assignments(set, "`set`")?)
}

impl Start {
    pub(super) fn request(self) -> Result<StartRequest, AppError> {
        let request = StartRequest {
            token: address(&self.token)?,
            realm: realm(self.live),
            chain: chain(self.chain),
            mode: self.mode,
            given: layers(&self.set)?,
            budget: self.budget,
            symbol: self.symbol,
            decimals: self.decimals,
            quote: self.quote,
            placed: None,
        };
        request.check()?;
        Ok(request)
    }
}

impl NewOrder {
    /// `key`: what keeps a repetition from being a second order.
    fn request(self, key: String) -> Result<StartRequest, AppError> {
        let tokens = self.tokens.map(|text| match text.eq_ignore_ascii_case("all") {
            true => Tokens::All,
            false => Tokens::Whole(text),
        });
        let order = OrderRequest {
            side: self.side,
            token: address(&self.token)?,
            realm: realm(self.live),
            chain: chain(self.chain),
            amount: self.amount,
            tokens,
            cost: self.cost,
            limit: self.limit,
            stop: self.stop,
            trail: self.trail,
            until: self.until,
            slices: self.slices,
            over: self.over,
            given: layers(&self.set)?,
            symbol: self.symbol,
            decimals: self.decimals,
            quote: self.quote,
            key: Some(key),
        };
        let request = order.start()?;
        request.check()?;
        Ok(request)
    }
}

/// Starts a new job, a new cycle of an idle one, or resumes a paused one. With `live`, a second request confirms it.
#[utoipa::path(post, path = "/api/v1/jobs", tag = "jobs", request_body = Start,
    extensions(("x-role" = json!("owner"))),
    responses((status = 200, description = "The job, and what was assumed for it",
               body = ref("#/components/schemas/start"))))]
pub(in crate::api) async fn start(
    State(api): State<Shared>,
    write: Write<Start>,
) -> Result<Response, Problem> {
    let (mut body, order) = write.split();
    let confirm = body.confirm.take();
    let request = body.request()?;
    let (app, asked) = (api.clone(), order.clone());
    let work = async move { started(&app.app, &request, &asked, confirm.as_deref()).await };
    order.once(&api, work).await
}

/// Buys or sells once. With `live`, a second request confirms it.
#[utoipa::path(post, path = "/api/v1/orders", tag = "jobs", request_body = NewOrder,
    extensions(("x-role" = json!("owner"))),
    responses((status = 200, description = "The order's job, and what was assumed for it",
               body = ref("#/components/schemas/start"))))]
pub(in crate::api) async fn order(
    State(api): State<Shared>,
    write: Write<NewOrder>,
) -> Result<Response, Problem> {
    let (mut body, order) = write.split();
    let confirm = body.confirm.take();
    let request = body.request(order.key())?;
    let (app, asked) = (api.clone(), order.clone());
    let work = async move { started(&app.app, &request, &asked, confirm.as_deref()).await };
    order.once(&api, work).await
}

async fn started(
    app: &App,
    request: &StartRequest,
    order: &Order,
    confirm: Option<&str>,
) -> Result<Started, Failed> {
    let proposal = start::propose(app, request).await?;
    if let Some(terms) = proposal.terms() {
        confirm_terms(&terms, order, confirm)?;
    }
    let mut started = start::start(app, proposal, &order.actor()).await?;
    written(&mut started);
    Ok(started)
}

/// Messages as the API words them.
pub(super) fn written(started: &mut Started) {
    for assumed in &mut started.assumed {
        assumed.write(&Http);
    }
    if let Some(command) = started.policy.as_mut().and_then(|lacks| lacks.0.command.as_mut()) {
        command.write(&Http);
    }
}

fn confirm_terms(terms: &Terms<'_>, order: &Order, confirm: Option<&str>) -> Result<(), Failed> {
    let (would, shown) = proposed(terms);
    order.confirmed(&format!("trade with real money: {would}"), shown, confirm)
}

/// What a live job would do, and what was assumed for it.
pub(super) fn proposed(terms: &Terms<'_>) -> (String, Vec<String>) {
    let pair = &terms.pair;
    let would = format!(
        "LIVE on {}, wallet {} trades {} ({}) for {}; {}; {}",
        terms.chain,
        pair.wallet.to_checksum(None),
        pair.token,
        terms.contract.to_checksum(None),
        pair.quote,
        terms.step,
        terms.spends
    );
    let assumed = terms.assumed.iter();
    let shown = assumed.map(|assumed| format!("assumed: {}", assumed.rendered(&Http)));
    (would, shown.collect())
}
