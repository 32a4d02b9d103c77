//! Sections of the settings as written in a file. [`super::Settings`] converts some of them into the settings of a part
//! of the program.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    domain::span::Span, engine::EngineSettings, runner::scheduler::SchedulerSettings, telemetry::LogFormat,
};

/// `[scheduler]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SchedulerFile {
    /// Maximum slots claimed in one transaction, 1 to 10000.
    pub batch: u32,
    /// A slot whose task was lost is dispatched again after this long, 5s to 1h.
    pub tick_lease: Span,
    /// An open trade whose task was lost is dispatched again after this long, 1s to 1h.
    pub settle_lease: Span,
}

/// `[worker]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerFile {
    /// Concurrent groups of tasks, 1 to 256.
    pub concurrency: u32,
    /// Maximum tasks in a group, 1 to 1000.
    pub batch: u32,
    /// Heartbeat interval, 100ms to 1m.
    pub heartbeat: Span,
    /// A worker without a heartbeat for this long has lost its tasks; at least three heartbeats, up to 1h.
    pub lease: Span,
    /// A group that takes longer is aborted and its tasks are retried one by one, 1s to 1h.
    pub timeout: Span,
    /// Grace period of running groups after SIGTERM, 0s to 1h.
    pub grace: Span,
}

/// `[trading]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TradingFile {
    /// One price sample is kept per interval, 100ms to 1h.
    pub sample_interval: Span,
    /// A frozen plan without a nonce expires after this long, 1s to 1h.
    pub plan_lifetime: Span,
    /// The chain refuses a transaction this long after it was made, 5s to 1h.
    pub trade_deadline: Span,
    /// Interval between two checks of an open trade, 10ms to 10m.
    pub check_interval: Span,
    /// Maximum open transactions of one wallet, 1 to 1000.
    pub pipeline_max: u32,
}

/// `[metrics]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSettings {
    /// Address of `/metrics`, `/healthz` and `/readyz`; `off` for none.
    pub listen: String,
    /// Interval between two counts of jobs, queues and wallets, 1s to 1h.
    pub census_every: Span,
    /// Maximum number of jobs with series of their own, 0 to 10000.
    pub max_jobs: u32,
}

/// `[api]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiSettings {
    /// Address of the HTTP API in a daemon; `off` for none.
    pub listen: String,
    /// Names that clients may call this server by, besides those of loopback and the address it listens at.
    pub hosts: Vec<String>,
    /// Whether only a proxy that encrypts reaches the address: then it need not be loopback.
    pub behind_proxy: bool,
    /// Whether the address is reached over loopback alone though it is another one, as in a container whose port is
    /// published at 127.0.0.1.
    pub published_on_loopback: bool,
    /// PEM file of the certificate and those between it and its authority; empty: connections are not encrypted.
    pub tls_cert: String,
    /// PEM file of its key.
    pub tls_key: String,
    /// Requests a second that one token may make, 1 to 10000; twice as many at once.
    pub requests_per_second: u32,
}

impl ApiSettings {
    /// Files of certificate and key.
    #[must_use]
    pub fn tls(&self) -> Option<(&Path, &Path)> {
        (!self.tls_cert.is_empty()).then(|| (Path::new(&self.tls_cert), Path::new(&self.tls_key)))
    }

    /// Whether clients reach it over TLS: its own, or a proxy's.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.behind_proxy || self.tls().is_some()
    }

    /// Whether no token crosses a network in plain text, if it is served at an address beyond loopback.
    #[must_use]
    pub fn may_be_exposed(&self) -> bool {
        self.is_encrypted() || self.published_on_loopback
    }
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// `human` or `json`.
    pub format: LogFormat,
    /// Log filter of services, in the syntax of `RUST_LOG`, which overrides it.
    pub filter: String,
}

impl Default for SchedulerFile {
    fn default() -> Self {
        let SchedulerSettings {
            tick_lease,
            settle_lease,
            ..
        } = SchedulerSettings::default();
        Self {
            batch: 1_000,
            tick_lease,
            settle_lease,
        }
    }
}

impl Default for WorkerFile {
    fn default() -> Self {
        Self {
            concurrency: 4,
            batch: 100,
            heartbeat: Span::from_secs(1),
            lease: Span::from_secs(5),
            timeout: Span::from_secs(60),
            grace: Span::from_secs(20),
        }
    }
}

impl Default for TradingFile {
    fn default() -> Self {
        let engine = EngineSettings::default();
        Self {
            sample_interval: engine.sample_interval,
            plan_lifetime: engine.plan_lifetime,
            trade_deadline: engine.trade_deadline,
            check_interval: engine.check_interval,
            pipeline_max: 16,
        }
    }
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9464".to_owned(),
            census_every: Span::from_secs(5),
            max_jobs: 1_000,
        }
    }
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            listen: "off".to_owned(),
            hosts: Vec::new(),
            behind_proxy: false,
            published_on_loopback: false,
            tls_cert: String::new(),
            tls_key: String::new(),
            requests_per_second: 100,
        }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Human,
            filter: "info".to_owned(),
        }
    }
}
