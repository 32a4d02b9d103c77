//! Trades, what happened, and what was earned.

use axum::{
    Json,
    extract::{RawQuery, State},
    http::header,
    response::IntoResponse,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::page;
use crate::{
    api::{extract::Params, problem::Problem, state::Shared},
    app::jobs::{
        export::{self, ExportRequest, JobChoice, Period, Shape},
        logs::{LogLine, Logs},
        pnl::{self, Pnl, PnlRequest},
        trades,
    },
    domain::{
        calendar::Calendar,
        ids::{JobId, TradeId},
        job::Realm,
    },
};

/// Which trades, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct TradesQuery {
    /// Only this token or job, removed jobs too: token address, job number or ticker
    token: Option<String>,
    /// Only this job, by its number
    job: Option<i64>,
    /// Only jobs on this chain
    chain: Option<String>,
    /// Only jobs of this realm: paper or live
    #[param(value_type = Option<String>)]
    realm: Option<Realm>,
    /// From this day or time on, such as 2026-01-01 or 2026-01-01T18:30
    from: Option<String>,
    /// Until this day, which is included, or until before this time
    to: Option<String>,
    /// Time zone of from and to, such as Europe/Berlin; UTC if it is not given
    zone: Option<String>,
    /// Only trades with a smaller number: the last one of the page before
    before: Option<i64>,
    /// Trades of a page, 1 to 1000
    #[serde(default = "usual")]
    #[param(required = false, minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

/// What happened, to whom and since when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct LogsQuery {
    /// Only this token or job, removed jobs too: token address, job number or ticker
    job: Option<String>,
    /// From then on: a length of time such as 2h, or a time such as 2026-01-01T18:30, UTC; a day if it is not given
    since: Option<String>,
    /// Most lines, the newest, 1 to 1000
    #[serde(default = "usual")]
    #[param(required = false, minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

/// What to export.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct ExportQuery {
    /// csv or json; csv if it is not given
    #[serde(default)]
    #[param(value_type = Option<String>, required = false)]
    format: Format,
    /// Only this token or job, removed jobs too: token address, job number or ticker
    token: Option<String>,
    /// Only jobs on this chain
    chain: Option<String>,
    /// Only jobs of this realm: paper or live
    #[param(value_type = Option<String>)]
    realm: Option<Realm>,
    /// From this day or time on
    from: Option<String>,
    /// Until this day, which is included, or until before this time
    to: Option<String>,
    /// Time zone of from and to; UTC if it is not given
    zone: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Csv,
    Json,
}

/// What to add up.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct PnlQuery {
    /// Only this job, removed ones too: job number, ticker or token address
    job: Option<String>,
    /// Only jobs on this chain
    chain: Option<String>,
    /// Only jobs of this realm: paper or live
    #[param(value_type = Option<String>)]
    realm: Option<Realm>,
    /// Also by day, week, month or year; all if it is not given
    #[param(value_type = Option<String>)]
    by: Option<Calendar>,
    /// From this day or time on
    from: Option<String>,
    /// Until this day, which is included, or until before this time
    to: Option<String>,
    /// Time zone of all days; that of the jobs' schedules if it is the same for all, else UTC
    zone: Option<String>,
}

const fn usual() -> u32 {
    page::PAGE
}

/// Trades, newest first. `Link` with rel="next" names the next page.
#[utoipa::path(get, path = "/api/v1/trades", tag = "history", params(TradesQuery),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Trades", body = ref("#/components/schemas/trades"),
               headers(("Link" = String, description = "The next page, if there is one")))))]
pub(in crate::api) async fn trades(
    State(api): State<Shared>,
    Params(query): Params<TradesQuery>,
    RawQuery(raw): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let size = page::size(query.limit)?;
    let period = Period::read(query.from.as_deref(), query.to.as_deref(), query.zone.as_deref())?;
    let choice = JobChoice {
        token: query.token,
        job: query.job.map(JobId),
        chain: query.chain,
        realm: query.realm,
    };
    // One more says whether there is another page.
    let wanted = i64::from(query.limit).saturating_add(1);
    let before = query.before.map(TradeId);
    let lines = trades::page(&api.app, &choice, period, (before, wanted)).await?;
    let place = ("/api/v1/trades", "before");
    let (headers, lines) = page::cut(lines, (size, raw.as_deref()), place, |line| line.trade);
    Ok((headers, Json(lines)))
}

/// All that jobs moved, for books and taxes, oldest first; at most 50,000 rows. A browser saves it as a file.
#[utoipa::path(get, path = "/api/v1/export", tag = "history", params(ExportQuery),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Rows", content(
        (String = "text/csv"), (ref("#/components/schemas/export") = "application/json")))))]
pub(in crate::api) async fn export(
    State(api): State<Shared>,
    Params(query): Params<ExportQuery>,
) -> Result<impl IntoResponse, Problem> {
    let request = ExportRequest {
        jobs: JobChoice {
            token: query.token,
            chain: query.chain,
            realm: query.realm,
            ..JobChoice::default()
        },
        period: Period::read(query.from.as_deref(), query.to.as_deref(), query.zone.as_deref())?,
        all: false,
    };
    let (shape, kind, file) = match query.format {
        Format::Csv => (
            Shape::Csv,
            "text/csv; charset=utf-8",
            "attachment; filename=\"lgi-mm.csv\"",
        ),
        Format::Json => (
            Shape::Json,
            "application/json",
            "attachment; filename=\"lgi-mm.json\"",
        ),
    };
    let text = export::whole(&api.app, &request, shape).await?;
    Ok((
        [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, file)],
        text,
    ))
}

/// What happened, oldest first: decisions, trades, orders and events.
#[utoipa::path(get, path = "/api/v1/logs", tag = "history", params(LogsQuery), extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "The newest lines", body = ref("#/components/schemas/logs.lines"))))]
pub(in crate::api) async fn logs(
    State(api): State<Shared>,
    Params(query): Params<LogsQuery>,
) -> Result<Json<Vec<LogLine>>, Problem> {
    page::size(query.limit)?;
    let choice = JobChoice {
        token: query.job,
        ..JobChoice::default()
    };
    let mut logs = Logs::open(&api.app, &choice, query.since.as_deref()).await?;
    Ok(Json(logs.newest(query.limit.into()).await?))
}

/// What was earned: realised, unrealised, gas and net, by period and by job.
#[utoipa::path(get, path = "/api/v1/pnl", tag = "history", params(PnlQuery), extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "By realm, period and job", body = ref("#/components/schemas/pnl"))))]
pub(in crate::api) async fn pnl(
    State(api): State<Shared>,
    Params(query): Params<PnlQuery>,
) -> Result<Json<Pnl>, Problem> {
    let request = PnlRequest {
        jobs: JobChoice {
            token: query.job,
            chain: query.chain,
            realm: query.realm,
            ..JobChoice::default()
        },
        by: query.by.unwrap_or(Calendar::All),
        from: query.from,
        to: query.to,
        zone: query.zone,
    };
    Ok(Json(pnl::pnl(&api.app, &request).await?))
}
