//! How to run the private server.

use std::path::PathBuf;

/// How to run the server.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where the data lives; if not given, [`default_data_dir`](super::default_data_dir), or a temporary directory if
    /// it is to be removed.
    pub data_dir: Option<PathBuf>,
    /// For tests: fsync off. What was committed may be lost with the machine.
    pub fast: bool,
    /// The data directory is removed when the server stops. It must be new or empty, in a directory that the
    /// server's user may write to, such as `/tmp`.
    pub remove: bool,
}
