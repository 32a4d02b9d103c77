//! The roles of the private server's database.

/// The bootstrap superuser: makes databases, and nothing else.
pub(super) const ADMIN: &str = "postgres";
/// What the program works as.
pub(super) const APP: &str = "lgi_mm";
