//! All members of a basket: started together, paused, resumed, or sold.

use axum::{extract::State, response::Response};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::{
    jobs::{Confirmed, Liquidate, Nothing, confirm_sale, confirm_traders},
    once::{Failed, Order, Write},
    several::Several,
    start::{chain, proposed, realm, written},
};
use crate::{
    api::{
        extract::{At, Params},
        problem::Problem,
        state::Shared,
    },
    app::{
        App, AppError,
        jobs::{
            lifecycle::{self, LiquidateRequest},
            sale::{self, Resumable},
            selected::{self, BasketName, Jobs},
            start::{self, BasketRequest, StartRequest, Started},
        },
    },
    config::members_of,
    domain::{job::Realm, span::Span},
};

/// All members of a basket.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct StartBasket {
    /// What the file of `basket start` has: keys that all members share, such as `basket` with its `name`, and
    /// `member`, a list of the members with `token` and, if wanted, `symbol`, `decimals`, `weight` and `budget_usd`
    #[schema(value_type = Object)]
    file: Map<String, Value>,
    /// Keys of the configuration of all members as KEY=VALUE, such as basket.band_pct=5
    #[serde(default)]
    set: Vec<String>,
    /// Chain to trade on; base if it is not given
    chain: Option<String>,
    /// Trade with real money
    #[serde(default)]
    live: bool,
    /// With live: quote token by ticker
    quote: Option<String>,
    /// What the answer before said, for a live basket
    confirm: Option<String>,
}

/// Which of several baskets of that name.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct BasketQuery {
    /// The basket of paper or of live jobs, if both have one of this name
    #[param(value_type = Option<String>)]
    realm: Option<Realm>,
    /// Only jobs on this chain
    chain: Option<String>,
}

impl BasketQuery {
    fn basket(self, name: String) -> BasketName {
        BasketName {
            name,
            realm: self.realm,
            chain: self.chain,
        }
    }
}

impl StartBasket {
    fn requests(self) -> Result<Vec<StartRequest>, AppError> {
        let basket = BasketRequest {
            realm: realm(self.live),
            chain: chain(self.chain),
            set: self.set,
            quote: self.quote,
        };
        let members = members_of("`file`", self.file)?;
        members
            .into_iter()
            .map(|member| basket.member(member, "`set`"))
            .collect()
    }
}

/// Starts all members of a basket: all of them, or none. With `live`, a second request confirms it.
#[utoipa::path(post, path = "/api/v1/baskets", operation_id = "start_basket", tag = "jobs", request_body = StartBasket,
    extensions(("x-role" = json!("owner"))),
    responses((status = 200, description = "Each member's job, and what was assumed for it",
               body = ref("#/components/schemas/basket-start"))))]
pub(in crate::api) async fn start(
    State(api): State<Shared>,
    write: Write<StartBasket>,
) -> Result<Response, Problem> {
    let (mut body, order) = write.split();
    let confirm = body.confirm.take();
    let requests = body.requests()?;
    let (app, asked) = (api.clone(), order.clone());
    let work = async move { started(&app.app, &requests, &asked, confirm.as_deref()).await };
    order.once(&api, work).await
}

async fn started(
    app: &App,
    requests: &[StartRequest],
    order: &Order,
    confirm: Option<&str>,
) -> Result<Vec<Started>, Failed> {
    let proposals = start::propose_all(app, requests).await?;
    let terms: Vec<_> = proposals.iter().filter_map(|proposal| proposal.terms()).collect();
    if !terms.is_empty() {
        let of_each = |terms| {
            let (would, shown) = proposed(terms);
            let named = shown
                .into_iter()
                .map(|line| format!("{}: {line}", terms.pair.token));
            (would, named.collect::<Vec<_>>())
        };
        let (would, shown): (Vec<_>, Vec<_>) = terms.iter().map(of_each).unzip();
        let would = format!("trade with real money: {}", would.join("; "));
        order.confirmed(&would, shown.concat(), confirm)?;
    }
    let mut started = start::start_all(app, proposals, &order.actor()).await?;
    started.iter_mut().for_each(written);
    Ok(started)
}

/// Stops new trades of all members of a basket and keeps their positions.
#[utoipa::path(post, path = "/api/v1/baskets/{basket}/pause", operation_id = "pause_basket", tag = "jobs",
    params(("basket" = String, Path), BasketQuery), request_body = Nothing,
    extensions(("x-role" = json!("operator"))),
    responses((status = 200, description = "Each member, and the number that undoes it",
               body = ref("#/components/schemas/pause.Several"))))]
pub(in crate::api) async fn pause(
    State(api): State<Shared>,
    At(basket): At<String>,
    Params(query): Params<BasketQuery>,
    write: Write<Nothing>,
) -> Result<Response, Problem> {
    let (basket, (_, order)) = (query.basket(basket), write.split());
    let (app, actor) = (api.clone(), order.actor());
    let work = async move {
        let report = lifecycle::pause(&app.app, &Jobs::Basket(basket), &actor).await?;
        Ok(Several::from(report))
    };
    order.once(&api, work).await
}

/// Continues all members of a basket after a pause or an error. Live ones are confirmed by a second request.
#[utoipa::path(post, path = "/api/v1/baskets/{basket}/resume", operation_id = "resume_basket", tag = "jobs",
    params(("basket" = String, Path), BasketQuery), request_body = Confirmed,
    extensions(("x-role" = json!("operator"))),
    responses((status = 200, description = "Each member", body = ref("#/components/schemas/pause.Several"))))]
pub(in crate::api) async fn resume(
    State(api): State<Shared>,
    At(basket): At<String>,
    Params(query): Params<BasketQuery>,
    write: Write<Confirmed>,
) -> Result<Response, Problem> {
    let (basket, (body, order)) = (query.basket(basket), write.split());
    let (app, asked) = (api.clone(), order.clone());
    let work = async move {
        let jobs = selected::members(&app.app, &basket).await?;
        let Resumable { traders, seen } = sale::resumable(&app.app, &jobs).await?;
        confirm_traders("continue", &traders, &asked, body.confirm.as_deref())?;
        let report = lifecycle::resume(&app.app, &jobs, Some(&seen), &asked.actor()).await?;
        Ok(Several::from(report))
    };
    order.once(&api, work).await
}

/// Sells everything that the members of a basket bought, then makes them idle. Live ones are confirmed by a second
/// request.
#[utoipa::path(post, path = "/api/v1/baskets/{basket}/liquidate", operation_id = "liquidate_basket", tag = "jobs",
    params(("basket" = String, Path), BasketQuery), request_body = Liquidate,
    extensions(("x-role" = json!("owner"))),
    responses((status = 200, description = "Each member", body = ref("#/components/schemas/pause.Several"))))]
pub(in crate::api) async fn liquidate(
    State(api): State<Shared>,
    At(basket): At<String>,
    Params(query): Params<BasketQuery>,
    write: Write<Liquidate>,
) -> Result<Response, Problem> {
    let (basket, (body, order)) = (query.basket(basket), write.split());
    let request = LiquidateRequest::new(body.over.unwrap_or(Span::ZERO), body.slices)?;
    let (app, asked) = (api.clone(), order.clone());
    let work = async move {
        let jobs = selected::members(&app.app, &basket).await?;
        let sellers = sale::sellers(&app.app, &jobs).await?;
        confirm_sale(
            &app.app,
            (&jobs, &sellers),
            request,
            &asked,
            body.confirm.as_deref(),
        )
        .await?;
        let report = lifecycle::liquidate(&app.app, &jobs, request, &asked.actor()).await?;
        Ok(Several::from(report))
    };
    order.once(&api, work).await
}
