//! What a command works with: the database, and an engine on it.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{PgPool, postgres::PgPoolOptions};

use super::CliError;
use crate::{
    config::Settings,
    embedded::{self, Options, Server},
    engine::Engine,
    paper::PaperMarkets,
    prices::PriceBook,
    store,
};

/// The database's name on the private server.
const DATABASE: &str = "lgi_mm";

/// Longest wait for a connection; an outage that lasts longer is said.
const ACQUIRE_PATIENCE: Duration = Duration::from_secs(3);

/// A database that is up to date. The private server lives as long as this does.
pub(super) struct World {
    pub(super) pool: PgPool,
    pub(super) url: String,
    pub(super) server: Option<Server>,
    settings: Settings,
}

impl World {
    /// Opens the database, starting the private server if there is no other, and migrates it.
    pub(super) async fn open(settings: &Settings) -> Result<Self, CliError> {
        let world = Self::connect(settings).await?;
        store::migrate(&world.pool).await?;
        Ok(world)
    }

    /// Opens the database as it is.
    pub(super) async fn connect(settings: &Settings) -> Result<Self, CliError> {
        let given = &settings.database.url.0;
        let (url, server) = if given.is_empty() {
            let server = private_server(settings).await?;
            embedded::ensure_database(&server, DATABASE).await?;
            (server.url(DATABASE), Some(server))
        } else {
            (given.clone(), None)
        };
        let pool = connect(&url, settings).await?;
        Ok(Self {
            pool,
            url,
            server,
            settings: settings.clone(),
        })
    }

    pub(super) fn prices(&self) -> Result<PriceBook, CliError> {
        PriceBook::new(self.pool.clone(), self.settings.dexscreener.clone())
            .map_err(|error| CliError::Network(format!("the HTTP client cannot be made: {error}")))
    }

    /// The paper venue is outside: it has connections of its own.
    pub(super) async fn paper(&self) -> Result<PaperMarkets, CliError> {
        let pool = connect(&self.url, &self.settings).await?;
        Ok(PaperMarkets::new(pool, self.settings.paper.clone()))
    }

    pub(super) async fn engine(&self) -> Result<Engine, CliError> {
        let (prices, markets) = (Arc::new(self.prices()?), Arc::new(self.paper().await?));
        Ok(Engine::new(
            self.pool.clone(),
            prices,
            markets,
            self.settings.engine(),
        ))
    }
}

async fn private_server(settings: &Settings) -> Result<Server, CliError> {
    let dir = &settings.database.data_dir;
    let data_dir = (!dir.is_empty()).then(|| PathBuf::from(dir));
    let options = Options {
        data_dir,
        ..Options::default()
    };
    tokio::task::spawn_blocking(move || embedded::start_or_join(&options))
        .await
        .map_err(|error| CliError::Internal(error.to_string()))?
        .map_err(CliError::from)
}

/// Waits for a database that is just starting; a wrong name or password is said at once.
async fn connect(url: &str, settings: &Settings) -> Result<PgPool, CliError> {
    let begun = Instant::now();
    let patience = settings.database.connect_timeout.std();
    let mut said = false;
    loop {
        let options = PgPoolOptions::new()
            .max_connections(settings.database.pool_max)
            .acquire_timeout(ACQUIRE_PATIENCE.min(patience));
        let error = match options.connect(url).await {
            Ok(pool) => return Ok(pool),
            Err(error) => error,
        };
        if !worth_waiting(&error) || begun.elapsed() >= patience {
            return Err(CliError::Unreachable {
                url: redacted(url),
                detail: error.to_string(),
            });
        }
        if !said {
            tracing::warn!(%error, "the database does not answer yet; waiting");
            said = true;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn worth_waiting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        // cannot_connect_now: it is starting or stopping.
        sqlx::Error::Database(error) => error.code().as_deref() == Some("57P03"),
        _ => false,
    }
}

/// A connection string without its password.
pub(super) fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "not a connection string".to_owned();
    };
    match rest.rsplit_once('@') {
        Some((who, place)) => {
            let user = who.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***@{place}")
        }
        None => format!("{scheme}://{rest}"),
    }
}
