//! The prices of a job.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{
        extract::{At, Params},
        problem::Problem,
        state::Shared,
    },
    app::{Target, jobs::chart},
    domain::{Timestamp, span::Span, units::Price},
};

/// The job and the span of time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct PricesQuery {
    /// Chain of the job, if several match
    chain: Option<String>,
    /// How far back, 1m to 366d; a day if it is not given
    #[param(value_type = Option<String>)]
    over: Option<Span>,
}

/// Prices of a job, the last of each step.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct PricesView {
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
    /// Length of a step, such as 2m 24s
    #[schema(value_type = String)]
    step: Span,
    /// Oldest first
    points: Vec<Point>,
}

/// A price that the job accepted.
#[derive(Debug, Serialize, ToSchema)]
struct Point {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// USD for a whole token, exact
    #[schema(value_type = String)]
    price_usd: Price,
}

/// The prices that a job accepted, at most about 600: of its first source, as far as they are kept.
#[utoipa::path(get, path = "/api/v1/jobs/{job}/prices", tag = "jobs", params(("job" = String, Path), PricesQuery),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Prices", body = PricesView)))]
pub(in crate::api) async fn prices(
    State(api): State<Shared>,
    At(job): At<String>,
    Params(query): Params<PricesQuery>,
) -> Result<Json<PricesView>, Problem> {
    let target = Target {
        token: job,
        chain: query.chain,
    };
    let over = query.over.unwrap_or(Span::from_secs(24 * 60 * 60));
    let chart = chart::chart(&api.app, &target, over).await?;
    let points = chart
        .points
        .into_iter()
        .map(|(at, price_usd)| Point { at, price_usd });
    Ok(Json(PricesView {
        from: chart.from,
        until: chart.until,
        step: chart.step,
        points: points.collect(),
    }))
}
