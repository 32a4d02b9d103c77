//! The only reader of files and environment: settings of this process, and configurations of jobs.
//!
//! Settings: flag > environment (`LGI_MM__SECTION__KEY`, `DATABASE_URL`) > `lgi-mm.toml` > default. Unknown keys
//! are errors that name the key and its origin.

mod check;
mod database;
mod environment;
mod error;
mod fingerprint;
mod instants;
mod job;
mod layers;
mod live;
mod load;
mod members;
mod sections;
mod service;
mod settings;
mod signals;
pub mod zones;

pub use crate::domain::secret::Secret;
// The API asks it of its TLS key.
pub use crate::trust::open_to_all;
pub use database::{DatabaseSettings, Guard, PasswordError, guard, ssl_mode};
pub use error::SettingsError;
pub use fingerprint::{NO_FILE, fingerprint};
pub use job::{JobLayers, build_job_config, known_job_keys};

pub use layers::{Layer, LayerError};
pub use live::{PASSWORD_VARIABLE, POLICY_STATE_VARIABLE, POLICY_VARIABLE, UNSAFE_KEY_VARIABLE};
pub use load::usual_files;
pub use members::{MemberGiven, members, members_of};
pub use sections::{ApiSettings, LogSettings, MetricsSettings, SchedulerFile, TradingFile, WorkerFile};
pub use service::{home, service_environment, user_unit_dir};
pub use settings::Settings;
pub use signals::{SignalSecretError, SignalSettings};
