//! The only reader of files and environment: settings of this process, and configurations of jobs.
//!
//! Settings: flag > environment (`LGI_MM__SECTION__KEY`, `DATABASE_URL`) > `lgi-mm.toml` > default. Unknown keys
//! are errors that name the key and where it came from.

mod database;
mod job;
mod layers;
mod live;

use std::{
    collections::BTreeMap,
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use apalis_pg_groups::QueueConfig;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    chain::{ChainKeys, WalletKeys},
    domain::{chains::CHAINS, config::InvalidConfig, span::Span},
    engine::EngineSettings,
    notify::NotifySettings,
    paper::PaperSettings,
    prices::DexscreenerSettings,
    retention::RetentionSettings,
    runner::scheduler::SchedulerSettings,
    telemetry::{CensusSettings, LogFormat},
    trust::{Chosen, NotTrusted, trusted},
};

pub use crate::domain::secret::Secret;
pub use database::{DatabaseSettings, Guard, PasswordError, guard, ssl_mode};
pub use job::{JobLayers, build_job_config, known_job_keys};
pub use layers::{Layer, LayerError};
pub use live::{PASSWORD_VARIABLE, POLICY_STATE_VARIABLE, POLICY_VARIABLE, UNSAFE_KEY_VARIABLE};

/// Everything that a process needs to know and a job does not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `[database]`
    pub database: DatabaseSettings,
    /// `[scheduler]`
    pub scheduler: SchedulerKeys,
    /// `[worker]`
    pub worker: WorkerKeys,
    /// `[trading]`
    pub trading: TradingKeys,
    /// `[paper]`
    pub paper: PaperSettings,
    /// `[dexscreener]`
    pub dexscreener: DexscreenerSettings,
    /// `[wallet]`
    pub wallet: WalletKeys,
    /// `[chains.NAME]`: nodes of a chain, and what differs from the built-in table.
    pub chains: BTreeMap<String, ChainKeys>,
    /// `[metrics]`
    pub metrics: MetricsSettings,
    /// `[notify]`
    pub notify: NotifySettings,
    /// `[retention]`
    pub retention: RetentionSettings,
    /// `[log]`
    pub log: LogSettings,
    /// `[defaults]`: what new jobs begin with, in the form of a job configuration.
    pub defaults: serde_json::Map<String, Value>,
    /// The file that was read, if there was one.
    #[serde(skip)]
    pub origin: Option<PathBuf>,
}

/// `[scheduler]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SchedulerKeys {
    /// Most slots claimed in one transaction, 1 to 10000.
    pub batch: u32,
    /// A slot whose task was lost is handed out again after this long, 5s to 1h.
    pub tick_lease: Span,
    /// An open trade whose task was lost is handed out again after this long, 1s to 1h.
    pub settle_lease: Span,
}

/// `[worker]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerKeys {
    /// Groups of tasks in flight, 1 to 256.
    pub concurrency: u32,
    /// Most tasks in a group, 1 to 1000.
    pub batch: u32,
    /// Time between heartbeats, 100ms to 1m.
    pub heartbeat: Span,
    /// A worker without a heartbeat for this long has lost its tasks; at least three heartbeats, up to 1h.
    pub lease: Span,
    /// A group that takes longer is given up and its tasks are tried again one by one, 1s to 1h.
    pub timeout: Span,
    /// How long running groups may take to end after SIGTERM, 0s to 1h.
    pub grace: Span,
}

/// `[trading]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TradingKeys {
    /// One price sample is kept per interval, 100ms to 1h.
    pub sample_interval: Span,
    /// A frozen plan that got no nonce by then is given up, 1s to 1h.
    pub plan_lifetime: Span,
    /// The chain refuses a transaction this long after it was made, 5s to 1h.
    pub trade_deadline: Span,
    /// An open trade is looked at this often, 10ms to 10m.
    pub check_interval: Span,
    /// Most transactions of one wallet that are open at once, 1 to 1000.
    pub pipeline_max: u32,
}

/// `[metrics]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSettings {
    /// Address of `/metrics`, `/healthz` and `/readyz`; `off` for none.
    pub listen: String,
    /// Time between two counts of jobs, queues and wallets, 1s to 1h.
    pub census_every: Span,
    /// Most jobs that get series of their own, 0 to 10000.
    pub max_jobs: u32,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// `human` or `json`.
    pub format: LogFormat,
    /// What is logged by services, in the syntax of `RUST_LOG`, which overrides it.
    pub filter: String,
}

impl Default for SchedulerKeys {
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

impl Default for WorkerKeys {
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

impl Default for TradingKeys {
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

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Human,
            filter: "info".to_owned(),
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file or variable cannot be read.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// A file that somebody else may write.
    #[error(transparent)]
    Trust(#[from] NotTrusted),
    /// Keys that do not exist, or values of the wrong type.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Keys(Vec<LayerError>),
    /// A password file that cannot be used.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Values that are not allowed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<InvalidConfig>),
}

impl Settings {
    /// Reads the settings: `file` if it is given, else `lgi-mm.toml` here, else
    /// `lgi-mm/lgi-mm.toml` in the user's configuration directory; then the environment.
    ///
    /// # Errors
    /// [`SettingsError`] names the key, its source and what is allowed.
    pub fn load(file: Option<&Path>) -> Result<Self, SettingsError> {
        let mut layers = Vec::new();
        let named = file.map(|path| (path.to_path_buf(), Chosen::ByName));
        let used = named.or_else(|| Some((usual_file()?, Chosen::Found)));
        let mut origin = None;
        if let Some((path, chosen)) = used {
            let trusted = trusted(&path, chosen)?;
            layers.push(Layer::file(&path)?);
            origin = Some(trusted);
        }
        layers.push(Layer::environment(env::vars_os())?);
        let mut settings: Self =
            layers::typed(&serde_json::Map::new(), &layers).map_err(SettingsError::Keys)?;
        settings.origin = origin;
        if let Some(url) = variable("DATABASE_URL")? {
            settings.database.url = Secret(url);
        }
        settings.database.take_password()?;
        settings.database.take_root_cert()?;
        if let Some(dir) = variable("LGI_MM_DATA_DIR")? {
            settings.database.data_dir = dir;
        }
        if let Some(url) = variable("ETH_RPC_URL")? {
            let default_chain = settings.chains.entry(CHAINS[0].name.to_owned()).or_default();
            default_chain.rpc_urls = vec![url];
        }
        let wrong = settings.problems();
        if wrong.is_empty() {
            Ok(settings)
        } else {
            Err(SettingsError::Invalid(wrong))
        }
    }

    fn problems(&self) -> Vec<InvalidConfig> {
        let mut wrong = self.paper.validate().err().unwrap_or_default();
        wrong.extend(self.chain_problems());
        wrong.extend(self.notify.problems());
        wrong.extend(self.retention.problems());
        wrong.extend(self.contradictions());
        let mut number = |key: &str, value: u32, least: u32, most: u32| {
            if !(least..=most).contains(&value) {
                wrong.push(invalid(key, value, format!("{least} to {most}")));
            }
        };
        number("database.pool_max", self.database.pool_max, 4, 1_000);
        number("scheduler.batch", self.scheduler.batch, 1, 10_000);
        number("worker.concurrency", self.worker.concurrency, 1, 256);
        number("worker.batch", self.worker.batch, 1, 1_000);
        number("metrics.max_jobs", self.metrics.max_jobs, 0, 10_000);
        number("trading.pipeline_max", self.trading.pipeline_max, 1, 1_000);
        number(
            "dexscreener.requests_per_minute",
            self.dexscreener.requests_per_minute,
            1,
            100_000,
        );
        let mut span = |key: &str, value: Span, least: &str, most: &str| {
            let bound = |text: &str| text.parse::<Span>().unwrap_or_default();
            if value < bound(least) || value > bound(most) {
                wrong.push(invalid(key, value, format!("{least} to {most}")));
            }
        };
        span(
            "database.connect_timeout",
            self.database.connect_timeout,
            "1s",
            "1h",
        );
        span("scheduler.tick_lease", self.scheduler.tick_lease, "5s", "1h");
        span("scheduler.settle_lease", self.scheduler.settle_lease, "1s", "1h");
        span("worker.heartbeat", self.worker.heartbeat, "100ms", "1m");
        span("worker.lease", self.worker.lease, "300ms", "1h");
        span("worker.timeout", self.worker.timeout, "1s", "1h");
        span("worker.grace", self.worker.grace, "0s", "1h");
        span(
            "trading.sample_interval",
            self.trading.sample_interval,
            "100ms",
            "1h",
        );
        span("trading.plan_lifetime", self.trading.plan_lifetime, "1s", "1h");
        span("trading.trade_deadline", self.trading.trade_deadline, "5s", "1h");
        span(
            "trading.check_interval",
            self.trading.check_interval,
            "10ms",
            "10m",
        );
        span("metrics.census_every", self.metrics.census_every, "1s", "1h");
        span("dexscreener.timeout", self.dexscreener.timeout, "100ms", "1m");
        span("notify.timeout", self.notify.timeout, "100ms", "1m");
        span("notify.give_up_after", self.notify.give_up_after, "1m", "30d");
        if self.metrics.listen != "off" && self.metrics.listen.parse::<SocketAddr>().is_err() {
            let allowed = "an address and port such as 127.0.0.1:9464, or off".to_owned();
            wrong.push(invalid("metrics.listen", &self.metrics.listen, allowed));
        }
        wrong
    }

    /// Values that are allowed, but not beside each other.
    fn contradictions(&self) -> Vec<InvalidConfig> {
        let mut wrong = Vec::new();
        let heartbeat = self.worker.heartbeat;
        if self.worker.lease.std() < heartbeat.std().saturating_mul(3) {
            let allowed = format!("at least three times worker.heartbeat ({heartbeat})");
            wrong.push(invalid("worker.lease", self.worker.lease, allowed));
        }
        // An event must not go while somebody may still be told of it.
        let (kept, told) = (self.retention.events, self.notify.give_up_after);
        if !kept.is_zero() && kept < told {
            let allowed = format!(
                "0s (kept for ever), or at least notify.give_up_after = {told}; lengthen the one or shorten the other"
            );
            wrong.push(invalid("retention.events", kept, allowed));
        }
        wrong
    }

    /// Where metrics are served, if anywhere.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.listen.parse().ok()
    }

    /// How the census is taken.
    #[must_use]
    pub fn census(&self) -> CensusSettings {
        CensusSettings {
            every: self.metrics.census_every.std(),
            max_jobs: self.metrics.max_jobs,
        }
    }

    /// What the engine is told.
    #[must_use]
    pub fn engine(&self) -> EngineSettings {
        EngineSettings {
            sample_interval: self.trading.sample_interval,
            plan_lifetime: self.trading.plan_lifetime,
            trade_deadline: self.trading.trade_deadline,
            check_interval: self.trading.check_interval,
            pipeline_max: self.trading.pipeline_max.into(),
        }
    }

    /// What a scheduler is told.
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

    /// What a worker of `queue` is told.
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

/// Where the user's configuration lies.
fn user_config_dir() -> Option<PathBuf> {
    env::var_os("XDG_CONFIG_HOME")
        .filter(|dir| !dir.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".config")))
}

/// Settings that nobody named.
fn usual_file() -> Option<PathBuf> {
    let user = user_config_dir();
    let places = [
        Some(PathBuf::from("lgi-mm.toml")),
        user.map(|dir| dir.join("lgi-mm/lgi-mm.toml")),
    ];
    places.into_iter().flatten().find(|path| path.is_file())
}

/// A variable of the environment. One that is not text is an error: to pass over it would be to use another database. One
/// that is empty is not set: compose files and units leave such behind, and it must not lead away from what a file says.
fn variable(name: &str) -> Result<Option<String>, LayerError> {
    let text = env::var_os(name).map(std::ffi::OsString::into_string).transpose();
    let text = text.map_err(|_| LayerError::NotText {
        name: name.to_owned(),
    })?;
    Ok(text.filter(|text| !text.is_empty()))
}

fn invalid(key: &str, value: impl ToString, allowed: String) -> InvalidConfig {
    InvalidConfig {
        key: key.to_owned(),
        value: value.to_string(),
        allowed,
    }
}
