//! Who asks, and what they may.

use std::collections::BTreeSet;

use super::tools::Allowed;
use crate::{
    app::{Actor, App},
    config::Settings,
};

/// One agent at the other end of standard input and output.
pub(super) struct Agent {
    pub(super) app: App,
    pub(super) settings: Settings,
    pub(super) allowed: BTreeSet<Allowed>,
    pub(super) actor: Actor,
}
