//! Pause, resume, tick, liquidate and remove.

use axum::{extract::State, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::once::{Failed, Order, Write};
use crate::{
    api::{
        extract::{At, JobQuery, Params},
        problem::Problem,
        state::Shared,
        wording::Http,
    },
    app::{
        App, AppError, Target,
        jobs::{
            lifecycle::{self, Changed, LiquidateRequest, Report},
            sale::{self, Resumable, Sale, Trader},
            selected::Jobs,
            tick::{self, Ticked},
        },
        target,
    },
    domain::{brief, span::Span},
};

/// No members.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Nothing {}

/// For a job that trades with real money.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Confirmed {
    /// What the answer before said, for a live job
    pub(super) confirm: Option<String>,
}

/// How to sell.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Liquidate {
    /// Spread the selling over this long, such as 6h; at once if it is not given
    #[schema(value_type = Option<String>)]
    pub(super) over: Option<Span>,
    /// Number of sells; 1, or 12 if they are spread
    pub(super) slices: Option<u32>,
    /// What the answer before said, for a live job
    pub(super) confirm: Option<String>,
}

/// Stops new trades and keeps the position.
#[utoipa::path(post, path = "/api/v1/jobs/{job}/pause", tag = "jobs", params(("job" = String, Path), JobQuery),
    request_body = Nothing, extensions(("x-role" = json!("operator"))),
    responses((status = 200, description = "Before and after", body = ref("#/components/schemas/pause.Changed"))))]
pub(in crate::api) async fn pause(
    State(api): State<Shared>,
    At(job): At<String>,
    Params(query): Params<JobQuery>,
    write: Write<Nothing>,
) -> Result<Response, Problem> {
    let (jobs, (_, order)) = (one(query.target(job)), write.split());
    let (app, actor) = (api.clone(), order.actor());
    let work = async move { changed(lifecycle::pause(&app.app, &jobs, &actor).await?) };
    order.once(&api, work).await
}

/// Continues after a pause or an error. A live job is confirmed by a second request.
#[utoipa::path(post, path = "/api/v1/jobs/{job}/resume", tag = "jobs", params(("job" = String, Path), JobQuery),
    request_body = Confirmed, extensions(("x-role" = json!("operator"))),
    responses((status = 200, description = "Before and after", body = ref("#/components/schemas/pause.Changed"))))]
pub(in crate::api) async fn resume(
    State(api): State<Shared>,
    At(job): At<String>,
    Params(query): Params<JobQuery>,
    write: Write<Confirmed>,
) -> Result<Response, Problem> {
    let (named, (body, order)) = (query.target(job), write.split());
    let (app, asked) = (api.clone(), order.clone());
    let work = async move {
        let jobs = one(target::pinned(&app.app, &named).await?);
        let Resumable { traders, seen } = sale::resumable(&app.app, &jobs).await?;
        confirm_traders("continue", &traders, &asked, body.confirm.as_deref())?;
        changed(lifecycle::resume(&app.app, &jobs, Some(&seen), &asked.actor()).await?)
    };
    order.once(&api, work).await
}

/// Evaluates one slot now, and waits up to 30 s for its trade. A live job is confirmed by a second request.
#[utoipa::path(post, path = "/api/v1/jobs/{job}/tick", tag = "jobs", params(("job" = String, Path), JobQuery),
    request_body = Confirmed, extensions(("x-role" = json!("operator"))),
    responses((status = 200, description = "The decision", body = ref("#/components/schemas/tick"))))]
pub(in crate::api) async fn tick(
    State(api): State<Shared>,
    At(job): At<String>,
    Params(query): Params<JobQuery>,
    write: Write<Confirmed>,
) -> Result<Response, Problem> {
    let (named, (body, order)) = (query.target(job), write.split());
    let (app, asked) = (api.clone(), order.clone());
    let work = async move {
        let target = target::pinned(&app.app, &named).await?;
        let trader = sale::trader(&app.app, &target).await?;
        confirm_traders(
            "evaluate a slot",
            trader.as_slice(),
            &asked,
            body.confirm.as_deref(),
        )?;
        let ticked: Ticked = tick::tick(&app.app, &target, &asked.actor()).await?;
        Ok(ticked)
    };
    order.once(&api, work).await
}

/// Sells everything the job bought, then makes it idle. A live job is confirmed by a second request.
#[utoipa::path(post, path = "/api/v1/jobs/{job}/liquidate", tag = "jobs", params(("job" = String, Path), JobQuery),
    request_body = Liquidate, extensions(("x-role" = json!("owner"))),
    responses((status = 200, description = "Before and after", body = ref("#/components/schemas/pause.Changed"))))]
pub(in crate::api) async fn liquidate(
    State(api): State<Shared>,
    At(job): At<String>,
    Params(query): Params<JobQuery>,
    write: Write<Liquidate>,
) -> Result<Response, Problem> {
    let (named, (body, order)) = (query.target(job), write.split());
    let request = LiquidateRequest::new(body.over.unwrap_or(Span::ZERO), body.slices)?;
    let (app, asked) = (api.clone(), order.clone());
    let work = async move {
        let target = target::pinned(&app.app, &named).await?;
        let seller = sale::trader(&app.app, &target).await?;
        let jobs = one(target);
        let sale = (&jobs, seller.as_slice());
        confirm_sale(&app.app, sale, request, &asked, body.confirm.as_deref()).await?;
        changed(lifecycle::liquidate(&app.app, &jobs, request, &asked.actor()).await?)
    };
    order.once(&api, work).await
}

/// Removes an idle job from the list; its history is kept.
#[utoipa::path(delete, path = "/api/v1/jobs/{job}", tag = "jobs", params(("job" = String, Path), JobQuery),
    extensions(("x-role" = json!("owner"))),
    responses((status = 200, description = "Before and after", body = ref("#/components/schemas/pause.Changed"))))]
pub(in crate::api) async fn remove(
    State(api): State<Shared>,
    At(job): At<String>,
    Params(query): Params<JobQuery>,
    write: Write<Nothing>,
) -> Result<Response, Problem> {
    let (jobs, (_, order)) = (one(query.target(job)), write.split());
    let (app, actor) = (api.clone(), order.actor());
    let work = async move { changed(lifecycle::remove(&app.app, &jobs, &actor).await?) };
    order.once(&api, work).await
}

fn one(target: Target) -> Jobs {
    Jobs::Named(vec![target])
}

/// The one job of a request that named one.
fn changed(mut report: Report) -> Result<Changed, Failed> {
    if let Some(refused) = report.refused.pop() {
        return Err(refused.error.into());
    }
    let changed = report.jobs.pop();
    let mut changed =
        changed.ok_or_else(|| AppError::Internal("a job was named and not answered".to_owned()))?;
    if let Some(note) = &mut changed.note {
        note.write(&Http);
    }
    Ok(changed)
}

/// What live jobs would sell is confirmed, also if that is nothing yet.
pub(super) async fn confirm_sale(
    app: &App,
    (jobs, sellers): (&Jobs, &[Trader]),
    request: LiquidateRequest,
    order: &Order,
    confirm: Option<&str>,
) -> Result<(), Failed> {
    if sellers.is_empty() {
        return Ok(());
    }
    let sales = sale::preview(app, jobs).await?;
    let (would, shown): (Vec<_>, Vec<_>) = sellers
        .iter()
        .map(|Trader { name, wallet }| {
            let sale = sales.iter().find(|sale| sale.name == *name);
            let sells = sale.map_or_else(
                || "all that it holds by then; it holds nothing now".to_owned(),
                |sale| format!("{} {}", sale.position, name.symbol),
            );
            let would = format!("{name}: {sells}, from wallet {}", wallet.to_checksum(None));
            let of_several = |worth| format!("{name}: {worth}");
            let worth = sale.map(worth);
            (
                would,
                if sellers.len() > 1 {
                    worth.map(of_several)
                } else {
                    worth
                },
            )
        })
        .unzip();
    let each = if sellers.len() > 1 { ", each" } else { "," };
    let parts = request.parts();
    let parts = parts.map(|(slices, over)| format!("{each} in {slices} sells over {over}"));
    let would = format!(
        "sell with real money: {}{}",
        would.join("; "),
        parts.unwrap_or_default()
    );
    order.confirmed(&would, shown.into_iter().flatten().collect(), confirm)
}

/// Those that may trade with real money after this are confirmed.
pub(super) fn confirm_traders(
    what: &str,
    traders: &[Trader],
    order: &Order,
    confirm: Option<&str>,
) -> Result<(), Failed> {
    if traders.is_empty() {
        return Ok(());
    }
    let each = traders
        .iter()
        .map(|trader| format!("{}, from wallet {}", trader.name, trader.wallet.to_checksum(None)));
    let would = format!("{what} with real money: {}", each.collect::<Vec<_>>().join("; "));
    order.confirmed(&would, vec![], confirm)
}

fn worth(sale: &Sale) -> String {
    match (sale.worth_usd, sale.price) {
        (Some(worth), Some((price, age))) => format!(
            "worth about {} USD at {} USD each, a price {age} old, before fees, price impact and gas",
            brief::usd(worth),
            brief::price(price)
        ),
        _ => "what it is worth is not known, since a price is missing".to_owned(),
    }
}
