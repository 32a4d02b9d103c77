//! Exit codes. They are stable; `--help` lists them.

use crate::app::{AppError, ErrorKind};

/// The process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::VariantArray)]
pub enum Exit {
    /// Success.
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
            Self::Internal => ErrorKind::Internal.code(),
            Self::Usage => ErrorKind::BadInput.code(),
            Self::NotFound => ErrorKind::NotFound.code(),
            Self::Refused => ErrorKind::Refused.code(),
            Self::Database => ErrorKind::Database.code(),
            Self::Problems => ErrorKind::Problems.code(),
            Self::Network => ErrorKind::Network.code(),
        }
    }

    /// The exit code of an error.
    #[must_use]
    pub fn of(error: &AppError) -> Self {
        match error.kind() {
            ErrorKind::BadInput => Self::Usage,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Refused => Self::Refused,
            ErrorKind::Database => Self::Database,
            ErrorKind::Problems => Self::Problems,
            ErrorKind::Network => Self::Network,
            ErrorKind::Internal => Self::Internal,
        }
    }
}
