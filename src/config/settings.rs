//! All settings of a process.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use apalis_pg_groups::QueueConfig;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    database::DatabaseSettings,
    sections::{ApiSettings, LogSettings, MetricsSettings, SchedulerFile, TradingFile, WorkerFile},
    signals::SignalSettings,
};
use crate::{
    chain::{ChainFile, WalletSettings},
    domain::span::Span,
    engine::EngineSettings,
    monitor::CensusSettings,
    notify::NotifySettings,
    paper::PaperSettings,
    prices::{DexscreenerSettings, GeckoterminalSettings, RefereeSettings},
    retention::RetentionSettings,
    runner::{scheduler::SchedulerSettings, tasks::QUEUES, watch::WatchSettings},
};

/// A worker whose last heartbeat is older is gone, whatever its lease.
const SILENCE_MIN: Span = Span::from_secs(15);
/// Processes come and go with an upgrade: what is missing for longer is announced.
const MISSING_FOR: Span = Span::from_secs(120);

/// The settings of a process; a job has a configuration of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `[database]`
    pub database: DatabaseSettings,
    /// `[scheduler]`
    pub scheduler: SchedulerFile,
    /// `[worker]`
    pub worker: WorkerFile,
    /// `[trading]`
    pub trading: TradingFile,
    /// `[paper]`
    pub paper: PaperSettings,
    /// `[dexscreener]`
    pub dexscreener: DexscreenerSettings,
    /// `[geckoterminal]`
    pub geckoterminal: GeckoterminalSettings,
    /// `[referees]`
    pub referees: RefereeSettings,
    /// `[wallet]`
    pub wallet: WalletSettings,
    /// `[chains.NAME]`: nodes of a chain, and differences from the built-in table.
    pub chains: BTreeMap<String, ChainFile>,
    /// `[metrics]`
    pub metrics: MetricsSettings,
    /// `[api]`
    pub api: ApiSettings,
    /// `[signals.NAME]`: signed messages from outside.
    pub signals: BTreeMap<String, SignalSettings>,
    /// `[notify]`
    pub notify: NotifySettings,
    /// `[retention]`
    pub retention: RetentionSettings,
    /// `[log]`
    pub log: LogSettings,
    /// `[defaults]`: defaults of new jobs, in the form of a job configuration.
    pub defaults: serde_json::Map<String, Value>,
    /// The file that was read, if any.
    #[serde(skip)]
    pub origin: Option<PathBuf>,
    /// Which version of that file: see [`fingerprint`](super::fingerprint()).
    #[serde(skip)]
    pub fingerprint: String,
}

impl Settings {
    /// Address of the metrics; `None`: off.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.listen.parse().ok()
    }

    /// Address of the HTTP API in a daemon; `None`: off.
    #[must_use]
    pub fn api_address(&self) -> Option<SocketAddr> {
        self.api.listen.parse().ok()
    }

    /// Settings of the census.
    #[must_use]
    pub fn census(&self) -> CensusSettings {
        CensusSettings {
            every: self.metrics.census_every.std(),
            max_jobs: self.metrics.max_jobs,
            queues: &QUEUES,
        }
    }

    /// Settings of the engine.
    #[must_use]
    pub fn engine(&self) -> EngineSettings {
        EngineSettings {
            sample_interval: self.trading.sample_interval,
            plan_lifetime: self.trading.plan_lifetime,
            trade_deadline: self.trading.trade_deadline,
            check_interval: self.trading.check_interval,
            pipeline_max: self.trading.pipeline_max.into(),
            patience: self.notify.patience(),
        }
    }

    /// Settings of a scheduler.
    #[must_use]
    pub fn scheduler(&self) -> SchedulerSettings {
        SchedulerSettings {
            batch: self.scheduler.batch.into(),
            tick_lease: self.scheduler.tick_lease,
            settle_lease: self.scheduler.settle_lease,
            check_interval: self.trading.check_interval,
            ..SchedulerSettings::default()
        }
    }

    /// Settings of the watch over processes: what is missing for this long is announced.
    #[must_use]
    pub fn watch(&self) -> WatchSettings {
        WatchSettings {
            silence: SILENCE_MIN.max(self.worker.lease),
            patience: MISSING_FOR,
            summary: self.notify.summary,
        }
    }

    /// Settings of the workers of `queue`.
    #[must_use]
    pub fn queue(&self, queue: &str) -> QueueConfig {
        let size = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
        QueueConfig {
            concurrency: size(self.worker.concurrency),
            batch: size(self.worker.batch),
            heartbeat: self.worker.heartbeat.std(),
            lease: self.worker.lease.std(),
            timeout: self.worker.timeout.std(),
            grace: self.worker.grace.std(),
            ..QueueConfig::new(queue)
        }
    }
}
