//! Jobs and their configuration.

use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderValue, header},
    response::IntoResponse,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::page;
use crate::{
    api::{
        extract::{At, JobQuery, Params},
        problem::Problem,
        state::Shared,
        wording::Http,
    },
    app::jobs::{
        config::{self, KeyLine},
        list::{self, ListRequest, Page, SortBy},
        status::{self, Status},
    },
    domain::{
        ids::JobId,
        job::{JobStatus, Realm},
    },
};

/// Which jobs, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct JobsQuery {
    /// Only jobs of this status: IDLE, RUNNING, PAUSED, LIQUIDATING or ERROR
    #[param(value_type = Option<String>)]
    status: Option<JobStatus>,
    /// Only jobs of this realm: paper or live
    #[param(value_type = Option<String>)]
    realm: Option<Realm>,
    /// Only jobs of this token: ticker, address or job number
    token: Option<String>,
    /// Only jobs on this chain
    chain: Option<String>,
    /// Removed jobs as well
    #[serde(default)]
    #[param(required = false)]
    all: bool,
    /// Only jobs with a greater number: the last one of the page before
    after: Option<i64>,
    /// Jobs of a page, 1 to 1000
    #[serde(default = "usual")]
    #[param(required = false, minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

const fn usual() -> u32 {
    page::PAGE
}

/// Jobs by number. `Link` with rel="next" names the next page.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs", params(JobsQuery), extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Jobs", body = ref("#/components/schemas/list"),
               headers(("Link" = String, description = "The next page, if there is one")))))]
pub(in crate::api) async fn jobs(
    State(api): State<Shared>,
    Params(query): Params<JobsQuery>,
    RawQuery(raw): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let size = page::size(query.limit)?;
    let request = ListRequest {
        status: query.status,
        realm: query.realm,
        token: query.token,
        chain: query.chain,
        basket: None,
        archived: query.all,
        sort: SortBy::Job,
        page: Some(Page {
            after: JobId(query.after.unwrap_or(0)),
            // One more says whether there is another page.
            limit: i64::from(query.limit).saturating_add(1),
        }),
    };
    let lines = list::list(&api.app, &request).await?.lines;
    let place = ("/api/v1/jobs", "after");
    let (headers, lines) = page::cut(lines, (size, raw.as_deref()), place, |line| line.job);
    Ok((headers, Json(lines)))
}

/// Everything about one job, also about a removed one.
#[utoipa::path(get, path = "/api/v1/jobs/{job}", tag = "jobs", params(("job" = String, Path), JobQuery),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "The job", body = ref("#/components/schemas/status"))))]
pub(in crate::api) async fn job(
    State(api): State<Shared>,
    At(job): At<String>,
    Params(query): Params<JobQuery>,
) -> Result<Json<Status>, Problem> {
    let mut status = status::status(&api.app, &query.target(job)).await?;
    status.why.write(&Http);
    Ok(Json(status))
}

/// A job's configuration. Its ETag is the If-Match of an edit.
#[utoipa::path(get, path = "/api/v1/jobs/{job}/config", tag = "jobs", params(("job" = String, Path), JobQuery),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Sections and keys", body = ref("#/components/schemas/config-show"),
               headers(("ETag" = String, description = "Its version")))))]
pub(in crate::api) async fn config(
    State(api): State<Shared>,
    At(job): At<String>,
    Params(query): Params<JobQuery>,
) -> Result<impl IntoResponse, Problem> {
    let stored = config::show(&api.app, &query.target(job)).await?;
    let version = HeaderValue::try_from(format!("\"{}\"", stored.version));
    let version = version.unwrap_or(HeaderValue::from_static("\"\""));
    Ok(([(header::ETAG, version)], Json(stored.config)))
}

/// Every key of a configuration, with its meaning and default.
#[utoipa::path(get, path = "/api/v1/config/keys", tag = "jobs", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Keys", body = ref("#/components/schemas/config-keys"))))]
pub(in crate::api) async fn keys() -> Json<Vec<KeyLine>> {
    Json(config::keys())
}
