//! What can go wrong for a user, and the exit code that says so to a script.

use crate::{
    chain::{InvalidChain, keystore::KeyError, policy::edit::EditError},
    config::{LayerError, SettingsError},
    domain::config::InvalidConfig,
    embedded::EmbeddedError,
    engine::EngineError,
    paper::PaperError,
    queue::scheduler::ClaimError,
    store::{MigrateError, StoreError, jobs::CommandError},
};

/// Exit codes. They are stable; `--help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::VariantArray)]
pub enum Exit {
    /// Done.
    Done,
    /// An error of the program itself.
    Internal,
    /// Bad input.
    Usage,
    /// No such job.
    NotFound,
    /// Refused.
    Refused,
    /// The database cannot be used.
    Database,
    /// `doctor` or `health` found something.
    Problems,
    /// A price source or venue cannot be used.
    Network,
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Refused => 4,
            Self::Database => 5,
            Self::Problems => 6,
            Self::Network => 7,
        }
    }
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A flag, address or combination that cannot be used.
    #[error("{0}")]
    Usage(String),
    /// Settings or a configuration.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A configuration's values.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Config(Vec<InvalidConfig>),
    /// No such job.
    #[error("{0}")]
    NotFound(String),
    /// Not now.
    #[error("{0}")]
    Refused(String),
    /// A command that was refused.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The policy file.
    #[error(transparent)]
    Policy(#[from] EditError),
    /// A chain that cannot be used.
    #[error(transparent)]
    Chain(#[from] InvalidChain),
    /// The private server.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The database cannot be reached.
    #[error(
        "cannot use the database: {detail}\nDATABASE_URL is {url}; check host, port, user, password and database name, or unset it to use the private server"
    )]
    Unreachable {
        /// Without a password.
        url: String,
        /// What happened.
        detail: String,
    },
    /// The schema.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The ledger.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tick or trade.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The paper venue.
    #[error(transparent)]
    Paper(#[from] PaperError),
    /// A price source or an outside service.
    #[error("{0}")]
    Network(String),
    /// `doctor` found something.
    #[error("{0} of the checks failed; each says how to mend it")]
    Problems(usize),
    /// `health` found something.
    #[error("{0}")]
    NotReady(String),
    /// A file or the terminal.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What happened.
        source: std::io::Error,
    },
    /// A part of the program ended that should not have.
    #[error("{0}")]
    Internal(String),
}

impl CliError {
    /// What a script learns.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_)
            | Self::Settings(_)
            | Self::Config(_)
            | Self::Chain(_)
            | Self::Key(KeyError::NoKey | KeyError::WeakPassword) => Exit::Usage,
            Self::Key(KeyError::Io { .. }) => Exit::Internal,
            Self::NotFound(_)
            | Self::Store(StoreError::NoSuchJob(_))
            | Self::Command(CommandError::Store(StoreError::NoSuchJob(_))) => Exit::NotFound,
            Self::Refused(_) | Self::Key(_) | Self::Policy(_) => Exit::Refused,
            Self::Command(CommandError::Store(_))
            | Self::Engine(EngineError::Store(_))
            | Self::Paper(PaperError::Database(_) | PaperError::Corrupt { .. })
            | Self::Embedded(_)
            | Self::Unreachable { .. }
            | Self::Migrate(_)
            | Self::Store(_) => Exit::Database,
            Self::Command(_) => Exit::Refused,
            Self::Engine(_) | Self::Paper(_) | Self::Network(_) => Exit::Network,
            Self::Problems(_) | Self::NotReady(_) => Exit::Problems,
            Self::Io { .. } | Self::Internal(_) => Exit::Internal,
        }
    }
}

impl From<LayerError> for CliError {
    fn from(error: LayerError) -> Self {
        Self::Settings(error.into())
    }
}

impl From<ClaimError> for CliError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Store(error) => error.into(),
            ClaimError::Push(error) => Self::Internal(error.to_string()),
        }
    }
}

impl From<sqlx::Error> for CliError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}
