//! The demo's database and chain, and its result.

use crate::{
    app::{
        actor::Actor,
        audit::{Findings, live::LiveFindings, paper},
        context::{App, DATABASE},
        error::AppError,
    },
    config::{Secret, Settings},
    domain::{decision::Reason, job::JobId},
    embedded::{self, Options, Server},
    store::{
        trades,
        views::{self, LedgerTotals},
    },
};

use super::{
    jobs::{self, Stage},
    live::LiveDemo,
};

/// Lines about trades. What a process finds when it starts is no work on a trade.
const LOG_FILTER: &str = "off,lgi_mm::engine=info,lgi_mm::engine::trade::recover=off";

/// A database server that is removed when this is dropped.
pub struct DemoServer {
    /// The given settings, with this server's database.
    pub settings: Settings,
    _server: Server,
}

/// Number of trades of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReasonCount {
    /// The rule.
    pub reason: Reason,
    /// Trades that were filled.
    pub trades: u64,
}

/// Activity of the jobs, compared with the venue's records.
#[derive(Debug)]
pub struct Summary {
    /// Slots and trades of the ledger.
    pub totals: LedgerTotals,
    /// Trades by rule.
    pub by_reason: Vec<ReasonCount>,
    /// Differences between the ledger and the venue.
    pub findings: Findings,
    /// The wallet on the chain, for the live demo.
    pub chain: Option<LiveFindings>,
}

/// Starts a durable server of the demo's own.
///
/// # Errors
/// [`AppError::Embedded`].
pub async fn server(settings: &Settings) -> Result<DemoServer, AppError> {
    let dir = std::env::temp_dir().join(format!("lgi-mm-demo-{}", std::process::id()));
    let options = Options {
        data_dir: Some(dir),
        fast: false,
        remove: true,
    };
    let server = tokio::task::spawn_blocking(move || embedded::start_or_join(&options))
        .await
        .map_err(|error| AppError::Internal(error.to_string()))??;
    embedded::ensure_database(&server, DATABASE).await?;
    let mut settings = settings.clone();
    settings.database.url = Secret(server.app_url(DATABASE));
    Ok(DemoServer {
        settings,
        _server: server,
    })
}

/// Creates and starts the jobs; returns the one to liquidate half way through.
///
/// # Errors
/// [`AppError`] if the database or the chain fails.
pub async fn create_jobs(app: &App, live: Option<&LiveDemo>, actor: &Actor) -> Result<JobId, AppError> {
    let stage = match live {
        Some(live) => live.stage(app).await?,
        None => Stage::Paper,
    };
    jobs::create(app, &stage, actor).await
}

/// Environment variables that connect the demo's processes to its database and chain, and have them log as JSON what
/// they do with trades.
///
/// # Errors
/// [`AppError`] if the live demo's files cannot be written.
pub fn environment(app: &App, live: Option<&LiveDemo>) -> Result<Vec<(String, String)>, AppError> {
    let mut variables = vec![
        ("DATABASE_URL".to_owned(), app.url.clone()),
        ("LGI_MM__LOG__FORMAT".to_owned(), "json".to_owned()),
        ("LGI_MM__LOG__FILTER".to_owned(), LOG_FILTER.to_owned()),
    ];
    if let Some(live) = live {
        variables.extend(live.variables()?);
    }
    Ok(variables)
}

/// Number of tasks in the queue.
///
/// # Errors
/// [`AppError::Store`].
pub async fn queue_depth(app: &App) -> Result<u64, AppError> {
    Ok(views::queue_depth(&app.pool).await?)
}

/// Number of trades that are not final.
///
/// # Errors
/// [`AppError::Store`].
pub async fn open_trades(app: &App) -> Result<usize, AppError> {
    Ok(trades::open(&app.pool).await?.len())
}

/// Compares the ledger with the venue. No trade may be open.
///
/// # Errors
/// [`AppError`] if the database or the chain cannot be read.
pub async fn summary(app: &App, live: Option<&LiveDemo>) -> Result<Summary, AppError> {
    let chain = match live {
        Some(live) => Some(live.compare(app).await?),
        None => None,
    };
    let findings = match &chain {
        Some(chain) => chain.findings,
        None => paper::compare(&app.pool).await?,
    };
    let by_reason = views::executed_by_reason(&app.pool).await?;
    Ok(Summary {
        totals: views::ledger_totals(&app.pool).await?,
        by_reason: by_reason
            .into_iter()
            .map(|(reason, trades)| ReasonCount { reason, trades })
            .collect(),
        findings,
        chain,
    })
}
