//! Which build this is.

/// The version of the package.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit and its date, such as `3f2c1ab90 2026-11-29`; `debug build`, or `commit unknown`.
pub const BUILD: &str = env!("LGI_MM_BUILD");

/// Both, as `--version` shows them.
pub const FULL: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LGI_MM_BUILD"), ")");
