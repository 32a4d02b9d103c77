//! Errors that a user sees, through any face.

use super::{
    connections::TooFew,
    message::{Advice, Message, Wording, message},
};
use crate::{
    chain::{
        InvalidChain,
        keystore::KeyError,
        policy::{Reason, Refusal, edit::EditError},
    },
    config::{LayerError, SettingsError},
    domain::config::InvalidConfig,
    embedded::EmbeddedError,
    engine::EngineError,
    paper::PaperError,
    runner::scheduler::ClaimError,
    store::{MigrateError, StoreError, integrity, jobs::CommandError, refusal::Explained},
};

/// An error of a request.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A flag, address or combination that cannot be used.
    #[error("{0}")]
    Usage(String),
    /// Settings or a configuration that cannot be used.
    #[error(transparent)]
    Settings(SettingsError),
    /// A configuration's values.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Config(Vec<InvalidConfig>),
    /// No such job.
    #[error("{0}")]
    NotFound(String),
    /// The current state does not allow it.
    #[error("{0}")]
    Refused(String),
    /// A command that was refused.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A key.
    #[error(transparent)]
    Key(KeyError),
    /// The policy file.
    #[error(transparent)]
    Policy(EditError),
    /// A chain that cannot be used.
    #[error(transparent)]
    Chain(#[from] InvalidChain),
    /// The private server.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The database cannot be reached.
    #[error("cannot use the database: {cause}\nDATABASE_URL is {url}")]
    Unreachable {
        /// Connection string, without the password.
        url: String,
        /// The cause, and what to do.
        cause: Explained,
    },
    /// Too few connections for a service.
    #[error("{cause}\nDATABASE_URL is {url}")]
    TooFewConnections {
        /// Connection string, without the password.
        url: String,
        /// How many there are and how many it needs.
        cause: TooFew,
    },
    /// A dump that was restored in part.
    #[error("the ledger is not whole; missing: {}; {}", .0.join(", "), integrity::REMEDY)]
    HalfFilled(Vec<String>),
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
    /// An error whose text names fields of the request, or what can be done next.
    #[error("{message}")]
    Advised {
        /// The kind of error.
        kind: ErrorKind,
        /// The text.
        message: Message,
    },
    /// A price source or an outside service.
    #[error("{0}")]
    Network(String),
    /// `doctor`, or a check of wallets or of the policy, found something.
    #[error("{0} checks failed; each line above says what is wrong")]
    Problems(usize),
    /// `health` found something.
    #[error("{0}")]
    NotReady(String),
    /// A file or the terminal.
    #[error("{what}: {source}")]
    Io {
        /// The operation that failed.
        what: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A part of the program ended unexpectedly.
    #[error("{0}")]
    Internal(String),
}

/// Kinds of error. The command line maps them to exit codes, an HTTP face to status codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::VariantArray)]
pub enum ErrorKind {
    /// A flag, key, value, address or file that cannot be used.
    BadInput,
    /// No such job.
    NotFound,
    /// The state of the job, the wallet or the policy does not allow it.
    Refused,
    /// The database cannot be used.
    Database,
    /// A check found something that needs fixing.
    Problems,
    /// A price source, a venue or a receiver cannot be used.
    Network,
    /// An error of the program itself.
    Internal,
}

impl ErrorKind {
    /// Its number in every face: the command line's exit code, the API's `code`. It never changes.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::BadInput => 2,
            Self::NotFound => 3,
            Self::Refused => 4,
            Self::Database => 5,
            Self::Problems => 6,
            Self::Network => 7,
        }
    }
}

impl AppError {
    /// Its text as a face writes it.
    pub fn rendered(&self, wording: &impl Wording) -> String {
        match self {
            Self::Advised { message, .. } => message.rendered(wording),
            _ => self.to_string(),
        }
    }

    /// The kind of this error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Advised { kind, .. } => *kind,
            Self::Store(error)
            | Self::Command(CommandError::Store(error))
            | Self::Engine(EngineError::Store(error))
                if error.is_unstorable() =>
            {
                ErrorKind::BadInput
            }
            Self::Usage(_)
            | Self::Settings(_)
            | Self::Config(_)
            | Self::Chain(_)
            | Self::Command(CommandError::Liquidation(_) | CommandError::OutOfRange(_))
            | Self::Key(KeyError::NoKey | KeyError::WeakPassword | KeyError::SamePassword) => {
                ErrorKind::BadInput
            }
            Self::Key(KeyError::Io { .. }) => ErrorKind::Internal,
            Self::NotFound(_)
            | Self::Store(StoreError::NoSuchJob(_))
            | Self::Command(CommandError::Store(StoreError::NoSuchJob(_))) => ErrorKind::NotFound,
            Self::Refused(_) | Self::Key(_) | Self::Policy(_) => ErrorKind::Refused,
            Self::Command(CommandError::Store(_))
            | Self::Engine(EngineError::Store(_))
            | Self::Paper(PaperError::Database(_) | PaperError::Corrupt { .. })
            | Self::Embedded(_)
            | Self::Unreachable { .. }
            | Self::TooFewConnections { .. }
            | Self::HalfFilled(_)
            | Self::Migrate(_)
            | Self::Store(_) => ErrorKind::Database,
            Self::Command(_) => ErrorKind::Refused,
            Self::Engine(_) | Self::Paper(_) | Self::Network(_) => ErrorKind::Network,
            Self::Problems(_) | Self::NotReady(_) => ErrorKind::Problems,
            Self::Io { .. } | Self::Internal(_) => ErrorKind::Internal,
        }
    }
}

impl Message {
    pub(super) const fn bad_input(self) -> AppError {
        self.error(ErrorKind::BadInput)
    }

    pub(super) const fn refused(self) -> AppError {
        self.error(ErrorKind::Refused)
    }

    pub(super) const fn error(self, kind: ErrorKind) -> AppError {
        AppError::Advised { kind, message: self }
    }
}

impl From<AppError> for Message {
    /// Its text, to write it into another message.
    fn from(error: AppError) -> Self {
        match error {
            AppError::Advised { message, .. } => message,
            other => Self::from(other.to_string()),
        }
    }
}

impl From<SettingsError> for AppError {
    fn from(error: SettingsError) -> Self {
        if error.has_unknown_key() {
            return message![error.to_string(), "\n", Advice::ListKeys, " lists all keys"].bad_input();
        }
        Self::Settings(error)
    }
}

impl From<LayerError> for AppError {
    fn from(error: LayerError) -> Self {
        SettingsError::from(error).into()
    }
}

impl From<KeyError> for AppError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::NotFound { .. } => message![
                error.to_string(),
                "; ",
                Advice::ListWallets,
                " shows what is there, ",
                Advice::ImportWallet,
                " adds one",
            ]
            .refused(),
            _ => Self::Key(error),
        }
    }
}

impl From<EditError> for AppError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::NoEntry { .. } => message![
                error.to_string(),
                "; ",
                Advice::ShowPolicy,
                " lists what there is"
            ]
            .refused(),
            _ => Self::Policy(error),
        }
    }
}

/// What the policy refuses before anything is signed.
impl From<Refusal> for AppError {
    fn from(refusal: Refusal) -> Self {
        match refusal.reason {
            Reason::NoPolicy => message![refusal.detail, ": ", Advice::WritePolicy, " writes it"].refused(),
            _ => Self::Refused(refusal.detail),
        }
    }
}

impl From<ClaimError> for AppError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Store(error) => error.into(),
            ClaimError::Push(error) => Self::Internal(error.to_string()),
        }
    }
}

impl From<sqlx::Error> for AppError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}
