//! Units of systemd: their text, their files, and the commands that load them.

mod control;
mod file;
mod unit;

pub use control::{Control, State};
pub use file::{Found, environment_text, found, install, remove};
pub use unit::{Scope, Unit};
