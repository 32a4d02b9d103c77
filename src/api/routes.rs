//! All operations.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::header,
    middleware,
    response::IntoResponse,
};
use utoipa::OpenApi;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt as _},
    routes,
};

use super::{
    console,
    document::{self, Roles},
    gate,
    problem::Problem,
    read, session, signals,
    state::{Api, Shared},
    write,
};

/// Largest body of a request, bytes.
const BODY_MAX: usize = 64 * 1024;
/// Largest body of a backtest, which may have its prices with it, bytes.
const PRICES_MAX: usize = 8 * 1024 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "lgi-mm",
        description = "What the command line does, over HTTP. Answers are the JSON that the commands print with --json.",
        license(name = "MIT")
    ),
    components(schemas(Problem)),
    tags(
        (name = "jobs", description = "Jobs, orders and their configuration"),
        (name = "history", description = "Trades, events and what was earned"),
        (name = "installation", description = "Processes, wallets and checks"),
        (name = "backtests", description = "Backtests and sweeps"),
        (name = "paper", description = "The paper wallet"),
        (name = "api", description = "The API itself")
    )
)]
struct Described;

/// This document.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    tag = "api",
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "The OpenAPI document", body = serde_json::Value))
)]
async fn openapi(State(api): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], api.document.clone())
}

fn described() -> (Router<Shared>, String, Roles) {
    let (router, collected) = OpenApiRouter::with_openapi(Described::openapi())
        .routes(routes!(openapi))
        .routes(routes!(session::show, session::open, session::close))
        .routes(routes!(read::overview::overview))
        .routes(routes!(read::prices::prices))
        .routes(routes!(read::jobs::jobs, write::start::start))
        .routes(routes!(read::jobs::job, write::jobs::remove))
        .routes(routes!(read::jobs::config, write::config::edit))
        .routes(routes!(write::config::edit_check))
        .routes(routes!(read::installation::doctor))
        .routes(routes!(read::installation::health))
        .routes(routes!(read::installation::wallets))
        .routes(routes!(read::installation::signers))
        .routes(routes!(read::installation::policy))
        .routes(routes!(read::installation::receivers))
        .routes(routes!(read::installation::tokens, write::tokens::create))
        .routes(routes!(write::tokens::revoke))
        .routes(routes!(write::trial::look))
        .routes(routes!(write::trial::start_check))
        .routes(
            routes!(read::trial::backtests, write::backtest::backtest)
                .layer(DefaultBodyLimit::max(PRICES_MAX)),
        )
        .routes(routes!(
            read::trial::backtest_run,
            write::backtest::backtest_cancel
        ))
        .routes(routes!(read::trial::backtest_report))
        .routes(routes!(write::jobs::pause))
        .routes(routes!(write::jobs::resume))
        .routes(routes!(write::jobs::tick))
        .routes(routes!(write::jobs::liquidate))
        .routes(routes!(write::positions::adopt))
        .routes(routes!(write::positions::release))
        .routes(routes!(write::start::order))
        .routes(routes!(write::baskets::start))
        .routes(routes!(write::baskets::pause))
        .routes(routes!(write::baskets::resume))
        .routes(routes!(write::baskets::liquidate))
        .routes(routes!(signals::receive))
        .routes(routes!(read::history::trades))
        .routes(routes!(read::history::export))
        .routes(routes!(read::history::logs))
        .routes(routes!(read::history::pnl))
        .routes(routes!(read::events::events))
        .routes(routes!(write::several::pause))
        .routes(routes!(write::several::resume))
        .routes(routes!(read::jobs::keys))
        .routes(routes!(read::paper::wallet))
        .routes(routes!(write::paper::fund))
        .split_for_parts();
    let (document, roles) = document::finished(&collected);
    (router, document, roles)
}

/// The OpenAPI document, as it is served.
#[must_use]
pub fn openapi_document() -> String {
    described().1
}

/// All operations behind the gate. `api`: made with the document and who may do what.
pub(super) fn router(api: impl FnOnce(String, Roles) -> Api) -> (Router, Shared) {
    let (router, document, roles) = described();
    let api = Arc::new(api(document, roles));
    let router = router
        .fallback(|| std::future::ready(Problem::nowhere()))
        .method_not_allowed_fallback(|| std::future::ready(Problem::method()))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(api.clone(), gate::pass))
        .merge(console::router(api.clone()))
        .with_state(api.clone());
    (router, api)
}
