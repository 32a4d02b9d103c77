//! Backtests of this server.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::IntoResponse,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{
    ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type},
    },
};

use crate::{
    api::{extract::At, problem::Problem, state::Shared, wording::Http},
    app::backtest::runs::{Outcome, Run},
    domain::Timestamp,
    report,
};

/// A backtest.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct RunView {
    /// Its number
    run: i64,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// Who started it
    by: String,
    /// waiting, fetching, running, done, failed or cancelled
    state: String,
    /// While prices are fetched: how far back they go
    #[schema(value_type = Option<String>, format = DateTime)]
    fetched_to: Option<Timestamp>,
    /// Configurations that were run ..
    done: usize,
    /// .. of how many
    total: usize,
    /// Why it failed
    error: Option<String>,
    symbol: Option<String>,
    /// The keys that were given, as KEY=VALUE
    set: Vec<String>,
    /// The prices that it ran over, if they are of one token
    #[schema(schema_with = series)]
    series: Option<Value>,
    /// Of a sweep, of its best configuration
    #[schema(schema_with = summary)]
    summary: Option<Value>,
    /// The same money as a lump sum and as equal buys
    #[schema(schema_with = comparisons)]
    comparisons: Vec<Value>,
    /// Of a basket: each member, and the same money spent at once and kept; its trades are in the report
    #[schema(schema_with = basket)]
    basket: Option<Value>,
    /// Every configuration of a sweep
    #[schema(schema_with = swept)]
    swept: Option<Value>,
}

fn or_none(name: &str) -> RefOr<Schema> {
    let none = ObjectBuilder::new().schema_type(Type::Null);
    let it = Ref::new(format!("#/components/schemas/backtest.{name}"));
    OneOfBuilder::new().item(it).item(none).into()
}

fn series() -> RefOr<Schema> {
    or_none("SeriesSummary")
}

fn summary() -> RefOr<Schema> {
    or_none("Summary")
}

fn basket() -> RefOr<Schema> {
    or_none("BasketResult")
}

fn swept() -> RefOr<Schema> {
    or_none("Swept")
}

fn comparisons() -> RefOr<Schema> {
    let one = Ref::new("#/components/schemas/backtest.Comparison");
    ArrayBuilder::new().items(one).into()
}

/// Configurations of each sweep in a list of runs.
const LISTED: usize = 25;

/// A run as it is answered.
pub(in crate::api) fn shown(run: &Run) -> RunView {
    shown_within(run, usize::MAX)
}

/// `most`: configurations of a sweep, the best ones.
fn shown_within(run: &Run, most: usize) -> RunView {
    let finished = run.finished.as_deref();
    let of = finished.map(|finished| &finished.of);
    let (token, basket) = match of {
        Some(Outcome::Token(result)) => (Some(result), None),
        Some(Outcome::Basket(result)) => (None, Some(&result.0)),
        None => (None, None),
    };
    RunView {
        run: run.run,
        started_at: run.started_at,
        by: run.by.clone(),
        state: run.state.to_string(),
        fetched_to: run.fetched_to,
        done: run.done,
        total: run.total,
        error: run.error.as_ref().map(|error| error.rendered(&Http)),
        symbol: run.symbol.clone(),
        set: run.set.clone(),
        series: token.map(|result| json!(result.series)),
        summary: of.map(|of| json!(of.summary())),
        comparisons: token.map_or_else(Vec::new, |result| {
            let each = result.comparisons.iter();
            // Their values at each point are in the report.
            each.map(|one| json!({ "plan": one.plan, "summary": one.summary }))
                .collect()
        }),
        basket: basket.map(|result| {
            let mut result = result.clone();
            for member in &mut result.members {
                member.trades.clear();
            }
            json!(result)
        }),
        swept: finished.and_then(|finished| finished.swept.as_ref().map(|swept| json!(swept.best_of(most)))),
    }
}

/// The last 20 backtests, newest first. They end with the server. A sweep has its best 25 configurations here.
#[utoipa::path(get, path = "/api/v1/backtests", tag = "backtests", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Backtests", body = Vec<RunView>)))]
pub(in crate::api) async fn backtests(State(api): State<Shared>) -> Json<Vec<RunView>> {
    let runs = api.runs.list();
    Json(runs.iter().map(|run| shown_within(run, LISTED)).collect())
}

/// One backtest: how far it is, and what came of it.
#[utoipa::path(get, path = "/api/v1/backtests/{run}", tag = "backtests", params(("run" = i64, Path)),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "The backtest", body = RunView)))]
pub(in crate::api) async fn backtest_run(
    State(api): State<Shared>,
    At(run): At<i64>,
) -> Result<Json<RunView>, Problem> {
    Ok(Json(shown(&api.runs.get(run)?)))
}

/// The report of a backtest that is done, as a page.
#[utoipa::path(get, path = "/api/v1/backtests/{run}/report", tag = "backtests", params(("run" = i64, Path)),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "The report", content_type = "text/html", body = String)))]
pub(in crate::api) async fn backtest_report(
    State(api): State<Shared>,
    At(run): At<i64>,
) -> Result<impl IntoResponse, Problem> {
    let found = api.clone();
    let page = tokio::task::spawn_blocking(move || found.runs.report(run));
    let page = page
        .await
        .unwrap_or_else(|error| Err(crate::app::AppError::Internal(error.to_string())))?;
    let policy = format!(
        "{}; frame-ancestors 'self'; sandbox allow-scripts",
        report::policy(&[])
    );
    let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    Ok((
        [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/html; charset=utf-8"),
            ),
            (header::CONTENT_SECURITY_POLICY, policy),
        ],
        page,
    ))
}
