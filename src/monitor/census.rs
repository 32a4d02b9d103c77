//! The census: metrics of the whole installation, taken from the database by one process at a time.
//!
//! Workers are stateless, so none of them knows how many jobs there are. The process that holds an advisory lock
//! queries the database and exports the answer besides its own metrics. The lock ends with its connection, and so with
//! its process.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use ::metrics::{gauge, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use sqlx::{Connection, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    balances::{Balances, Nodes},
    facts::CensusFacts,
    settings::CensusSettings,
};
use crate::{
    domain::backoff::Backoff,
    service::{Loop, Service},
    store::{StoreError, census},
    telemetry::{Origin, describe, metric},
};

/// A pass that takes longer is aborted: its connection may be dead without reporting it.
const PATIENCE: Duration = Duration::from_secs(30);
/// First pause after a failure; doubles up to the interval.
const RETRY_FIRST: Duration = Duration::from_millis(500);

/// The last census in Prometheus' text format; empty in processes that do not take it.
#[derive(Debug, Clone, Default)]
pub struct Census(Arc<RwLock<String>>);

impl Census {
    /// A page of metrics: what this process counts itself, and the census if it takes it.
    #[must_use]
    pub fn page(&self, prometheus: &PrometheusHandle) -> String {
        // Locked before the rest is rendered: the leader gauge and the census belong together.
        let text = self.0.read().unwrap_or_else(PoisonError::into_inner);
        prometheus.render() + &text
    }

    fn publish(&self, text: String) {
        let mut published = self.0.write().unwrap_or_else(PoisonError::into_inner);
        gauge!(metric::CENSUS_LEADER).set(if text.is_empty() { 0.0 } else { 1.0 });
        *published = text;
    }

    /// Takes the census while this process holds the lock, until `stop`.
    pub async fn run(&self, pool: PgPool, nodes: Nodes, settings: CensusSettings, stop: &CancellationToken) {
        self.publish(String::new());
        let mut taker = Taker {
            census: self,
            pool,
            nodes,
            settings,
            connection: None,
            leads: false,
            balances: Balances::default(),
        };
        Loop::new("the census")
            .retry(Backoff::new(RETRY_FIRST, settings.every.max(RETRY_FIRST)))
            .limit(PATIENCE)
            .abort_after(Duration::ZERO)
            .run(&mut taker, stop)
            .await;
        self.publish(String::new());
    }
}

struct Taker<'a> {
    census: &'a Census,
    pool: PgPool,
    nodes: Nodes,
    settings: CensusSettings,
    /// Holds the lock, if `leads`. Not of the pool, so that trading never waits for it.
    connection: Option<PgConnection>,
    leads: bool,
    balances: Balances,
}

impl Service for Taker<'_> {
    type Error = StoreError;

    async fn pass(&mut self) -> Result<Duration, StoreError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(PgConnection::connect_with(&self.pool.connect_options()).await?),
        };
        if !self.leads {
            self.leads = census::lock(connection).await?;
            if self.leads {
                info!("taking the census: metrics of jobs, queues and wallets are exported here");
            }
        }
        if self.leads {
            let wallets = (&mut self.balances, &self.nodes);
            let facts = CensusFacts::load(connection, self.settings, wallets).await?;
            self.census.publish(text(&facts));
        }
        Ok(self.settings.every)
    }

    /// The lock is lost with the connection.
    fn failed(&mut self) {
        self.connection = None;
        self.leads = false;
        self.balances = Balances::default();
        self.census.publish(String::new());
    }
}

/// A new recorder for each census, so that deleted jobs leave no series behind.
fn text(facts: &CensusFacts) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    with_local_recorder(&recorder, || {
        describe(|origin| origin != Origin::Process);
        facts.record();
    });
    recorder.handle().render()
}
