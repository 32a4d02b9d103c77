//! Tokens that a job takes over from its wallet, or gives back.

use axum::{extract::State, http::StatusCode, response::Response};
use rust_decimal::Decimal;
use serde::Deserialize;
use utoipa::ToSchema;

use super::once::Write;
use crate::{
    api::{
        extract::{At, JobQuery, Params},
        problem::Problem,
        state::Shared,
        wording::Http,
    },
    app::{
        jobs::{
            adopt::{self, AdoptRequest, Cost, Tokens},
            release::{self, ReleaseRequest},
        },
        target,
    },
    domain::{job::Realm, units::exact_decimal_or_none},
};

/// Tokens that become the job's own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Adopt {
    /// How many whole tokens, or all
    tokens: String,
    /// What they cost in all, USD; 0 if they cost nothing. Either this or price
    #[serde(default, deserialize_with = "exact_decimal_or_none")]
    #[schema(value_type = Option<String>)]
    cost: Option<Decimal>,
    /// What each of them cost, USD
    #[serde(default, deserialize_with = "exact_decimal_or_none")]
    #[schema(value_type = Option<String>)]
    price: Option<Decimal>,
    /// What the answer before said, for a live job
    confirm: Option<String>,
}

/// Tokens that are given back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Release {
    /// How many whole tokens: the job continues without them; all of them, and the job becomes idle, if it is not given
    tokens: Option<String>,
    /// What the answer before said, for a live job
    confirm: Option<String>,
}

/// Makes tokens that the wallet holds a job's own, at what they cost. A live job is confirmed by a second request.
#[utoipa::path(post, path = "/api/v1/jobs/{job}/adopt", tag = "jobs", params(("job" = String, Path), JobQuery),
    request_body = Adopt, extensions(("x-role" = json!("owner"))),
    responses((status = 200, description = "What the job owns now", body = ref("#/components/schemas/adopt"))))]
pub(in crate::api) async fn adopt(
    State(api): State<Shared>,
    At(job): At<String>,
    Params(query): Params<JobQuery>,
    write: Write<Adopt>,
) -> Result<Response, Problem> {
    let (target, (body, order)) = (query.target(job), write.split());
    let cost = match (body.cost, body.price) {
        (Some(cost), None) => Cost::Total(cost),
        (None, Some(price)) => Cost::Each(price),
        _ => {
            let detail = "give either cost or price";
            return Err(Problem::malformed(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
    };
    let request = AdoptRequest {
        target,
        tokens: match body.tokens.eq_ignore_ascii_case("all") {
            true => Tokens::All,
            false => Tokens::Whole(body.tokens),
        },
        cost,
        key: Some(order.key()),
    };
    let (app, asked) = (api.clone(), order.clone());
    let work = async move {
        let request = AdoptRequest {
            target: target::pinned(&app.app, &request.target).await?,
            ..request
        };
        let planned = adopt::preview(&app.app, &request).await?;
        if planned.name.realm == Realm::Live {
            let would = format!(
                "{} takes over {} {} of wallet {} at a cost of {} USD",
                planned.name,
                planned.tokens,
                planned.name.symbol,
                planned.wallet.to_checksum(None),
                planned.cost_usd
            );
            let before = planned.repeats.iter();
            let shown =
                before.map(|at| format!("it took over exactly as much at the same cost before, {at}"));
            asked.confirmed(&would, shown.collect(), body.confirm.as_deref())?;
        }
        let mut adopted = adopt::adopt(&app.app, &request, &asked.actor()).await?;
        if let Some(note) = &mut adopted.note {
            note.write(&Http);
        }
        Ok(adopted)
    };
    order.once(&api, work).await
}

/// Gives tokens of a job back without selling them. A live job is confirmed by a second request.
#[utoipa::path(post, path = "/api/v1/jobs/{job}/release", tag = "jobs", params(("job" = String, Path), JobQuery),
    request_body = Release, extensions(("x-role" = json!("owner"))),
    responses((status = 200, description = "Before and after", body = ref("#/components/schemas/release"))))]
pub(in crate::api) async fn release(
    State(api): State<Shared>,
    At(job): At<String>,
    Params(query): Params<JobQuery>,
    write: Write<Release>,
) -> Result<Response, Problem> {
    let (target, (body, order)) = (query.target(job), write.split());
    let request = ReleaseRequest {
        target,
        tokens: body.tokens,
        key: Some(order.key()),
    };
    let (app, asked) = (api.clone(), order.clone());
    let work = async move {
        let request = ReleaseRequest {
            target: target::pinned(&app.app, &request.target).await?,
            ..request
        };
        let planned = release::preview(&app.app, &request).await?;
        if planned.name.realm == Realm::Live {
            let would = format!(
                "{} gives {} {} back to wallet {}{}",
                planned.name,
                planned.tokens,
                planned.name.symbol,
                planned.wallet.to_checksum(None),
                if planned.ends { ", and becomes IDLE" } else { "" }
            );
            asked.confirmed(&would, vec![], body.confirm.as_deref())?;
        }
        Ok(release::release(&app.app, &request, &asked.actor()).await?)
    };
    order.once(&api, work).await
}
